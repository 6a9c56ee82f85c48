"""A generated u16 cube with dark and white to calibrated wide Parquet: Sluice, native Rust, numpy + pyarrow."""

import argparse
import glob
import os
import shutil
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq

import envi
import measure

HERE = os.path.dirname(os.path.abspath(__file__))
ROUTES = """
[[route]]
match = "*.hdr"
plugin = "envi"
dataset = "bench"
config = {{ exposure = "equal", layers = [{layers}], precision = {precision} }}
references = {{ dark = "{dark}", white = "{white}" }}
"""


def parquet_files(folder):
    return sorted(path for path in glob.glob(os.path.join(folder, "**/*.parquet"), recursive=True))


def pixel_files(folder):
    return parquet_files(os.path.join(folder, "silver.bench_pixels"))


def compare(name, files, paths, within=2e-6):
    """Every value of a few lines, and the number of rows; returns bytes written per raw byte."""
    fields, raw = envi.cube(paths["header"], paths["image"])
    lines, samples, bands = raw.shape
    dark = envi.cube(*paths["dark"])[1].astype(np.float64).mean(axis=0)
    white = envi.cube(*paths["white"])[1].astype(np.float64).mean(axis=0)
    wanted = sorted({0, lines // 3, lines // 2, lines - 1})
    rows, seen, worst = 0, set(), 0.0
    for path in files:
        file = pq.ParquetFile(path)
        rows += file.metadata.num_rows
        for group in range(file.num_row_groups):
            numbers = file.read_row_group(group, ["line"])["line"].to_numpy()
            hits = [line for line in wanted if numbers[0] <= line <= numbers[-1]]
            if not hits:
                continue
            table = file.read_row_group(group)
            for line in hits:
                index = np.flatnonzero(numbers == line)
                sample = table["sample"].to_numpy()[index]
                seen.update((line, int(s)) for s in sample)
                for band in range(bands):
                    found = table[f"b{band + 1:03}"].to_numpy()[index]
                    expected = (raw[line, sample, band] - dark[sample, band]) / (white - dark)[sample, band]
                    worst = max(worst, float(np.abs(found - expected).max()))
    if rows != lines * samples or len(seen) != len(wanted) * samples or worst > within:
        raise SystemExit(f"{name}: {rows} rows of {lines * samples}, {len(seen)} pixels compared, off by {worst}")
    size = sum(os.path.getsize(path) for path in files)
    print(f"    {name}: {rows} rows, off by at most {worst:.1e}, {size / os.path.getsize(paths['image']):.2f} of raw")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("sluice", "payload", "work"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--native", help="a program that takes the same arguments as peer_cube.py")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    stem = arguments.payload.removesuffix(".hdr")
    paths = {
        "header": arguments.payload,
        "image": f"{stem}.img",
        "dark": (f"{stem}_dark.hdr", f"{stem}_dark.img"),
        "white": (f"{stem}_white.hdr", f"{stem}_white.img"),
    }
    work = arguments.work
    os.makedirs(work, exist_ok=True)

    def routes(path, layers, precision):
        with open(path, "w") as file:
            quoted = ", ".join(f'"{layer}"' for layer in layers)
            dark, white = (os.path.abspath(paths[name][0]) for name in ("dark", "white"))
            file.write(ROUTES.format(layers=quoted, precision=precision, dark=dark, white=white))
        return path

    def flatten(name, out, layers, precision):
        """Parquet and nothing else, as the peers write."""
        file = routes(f"{out}.toml", layers, precision)

        def command(threads):
            tail = ["--to", out, "--routes", file, "--threads", str(threads)]
            return [arguments.sluice, "flatten", paths["header"], *tail]

        return measure.Contender(name, command, lambda: shutil.rmtree(out, ignore_errors=True))

    def land(name, lake, layers, precision):
        """The whole path: hashed, spooled, synced to disk, verified, stamped into Iceberg tables, committed."""

        def prepare():
            shutil.rmtree(lake, ignore_errors=True)
            subprocess.run([arguments.sluice, "init", lake], check=True, stdout=subprocess.DEVNULL)
            routes(os.path.join(lake, "sluice.toml"), layers, precision)

        def command(threads):
            return [arguments.sluice, "--lake", lake, "land", "--skip-gold", "--threads", str(threads), paths["header"]]

        return measure.Contender(name, command, prepare)

    def peer(name, program, out, workers=None):
        def command(threads):
            references = ["--dark", *paths["dark"], "--white", *paths["white"]]
            tail = ["--out", out, "--workers", str(workers or threads)]
            return [*program, "--header", paths["header"], "--image", paths["image"], *references, *tail]

        return measure.Contender(name, command, lambda: shutil.rmtree(out, ignore_errors=True))

    out = {name: os.path.join(work, name) for name in ("silver", "sensor", "both", "lake")}
    python = [sys.executable, os.path.join(HERE, "peer_cube.py")]
    contenders = [
        flatten("sluice flatten, exact silver", out["silver"], ["silver"], '"exact"'),
        peer("numpy + pyarrow, exact, one process", python, os.path.join(work, "python"), workers=1),
        peer("numpy + pyarrow, exact, a process and a file for each core", python, os.path.join(work, "pythons")),
    ]
    if arguments.native:
        contenders.insert(1, peer("native Rust, same kernel, exact", [arguments.native], os.path.join(work, "native")))
    contenders += [
        flatten("sluice flatten, silver rounded to the sensor", out["sensor"], ["silver"], '"sensor"'),
        flatten("sluice flatten, lossless bronze and exact silver", out["both"], ["bronze", "silver"], '"exact"'),
        land("sluice land, exact silver, durable in a lake", out["lake"], ["silver"], '"exact"'),
    ]
    for path in (paths["image"], paths["dark"][1], paths["white"][1]):
        measure.warm(path)
    size = os.path.getsize(paths["image"])
    print(f"cube: {size / 2**20:.0f} MiB of raw counts", flush=True)
    measure.paired(contenders, arguments.runs, size, (1, None))
    print("outputs read back:")
    compare("sluice, exact silver", pixel_files(out["silver"]), paths)
    compare("numpy + pyarrow", parquet_files(os.path.join(work, "python")), paths)
    if arguments.native:
        compare("native Rust", parquet_files(os.path.join(work, "native")), paths)
    # Half a count of at least a thousand between dark and white.
    compare("sluice, rounded", pixel_files(out["sensor"]), paths, within=5e-4)
    compare("sluice, with bronze", pixel_files(out["both"]), paths)
    compare("sluice, landed", parquet_files(os.path.join(out["lake"], "warehouse/silver/bench_pixels/data")), paths)
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
