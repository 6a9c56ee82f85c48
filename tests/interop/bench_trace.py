"""A generated Kineto-like trace to Parquet: Sluice, orjson + pyarrow, json + pyarrow, DuckDB.

Sluice does more than its peers here: it keeps the document without loss and makes eight tables.
"""

import argparse
import glob
import os
import shutil
import subprocess
import sys

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import measure

HERE = os.path.dirname(os.path.abspath(__file__))
ROUTES = '[[route]]\nmatch = "*.json"\nplugin = "chrome-trace"\ndataset = "bench"\n'
# DuckDB reads the document as one value, at about 1 MB/s and twenty times its size: it gets a sixteenth of it.
DUCKDB_SHARE = 16


def facts(table):
    """Complete events by category, with their summed duration; memory-bound orders do not matter."""
    grouped = table.group_by("cat").aggregate([("dur_ns", "sum"), ("dur_ns", "count")])
    rows = zip(grouped["cat"].to_pylist(), grouped["dur_ns_count"].to_pylist(), grouped["dur_ns_sum"].to_pylist())
    return sorted((str(cat), count, total) for cat, count, total in rows)


def of_peer(path):
    table = pq.read_table(path, columns=["ph", "cat", "dur_ns"])
    ph, cat = (table[name].cast(pa.string()) for name in ("ph", "cat"))
    complete = pa.table({"cat": cat, "dur_ns": table["dur_ns"]}).filter(pc.equal(ph, "X"))
    return table.num_rows, facts(complete)


def of_sluice(folder):
    def read(layer, name, columns):
        files = glob.glob(os.path.join(folder, f"{layer}.bench_{name}/*.parquet"))
        return pa.concat_tables(pq.read_table(path, columns=columns, partitioning=None) for path in files)

    events = read("bronze", "events", ["kind"])
    slices = read("silver", "slice", ["cat", "dur_ns"])
    count = pc.sum(pc.equal(events["kind"].cast(pa.string()), "event")).as_py()
    return count, facts(pa.table({"cat": slices["cat"].cast(pa.string()), "dur_ns": slices["dur_ns"]}))


def cut(source, to, share):
    """The first part of a trace, closed where an event ends."""
    size = os.path.getsize(source) // share
    with open(source, "rb") as file:
        text = file.read(size)
    end = text.rindex(b"\n  },\n  {")
    with open(to, "wb") as file:
        file.write(text[:end] + b"\n  }\n  ]\n}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("sluice", "payload", "work"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    work, source = arguments.work, arguments.payload
    os.makedirs(work, exist_ok=True)
    lake = os.path.join(work, "lake")
    small = os.path.join(work, "part.json")
    cut(source, small, DUCKDB_SHARE)

    flattened, file = os.path.join(work, "flattened"), os.path.join(work, "routes.toml")
    with open(file, "w") as routes:
        routes.write(ROUTES)

    def flatten(threads):
        return [arguments.sluice, "flatten", source, "--to", flattened, "--routes", file, "--threads", str(threads)]

    def prepare():
        shutil.rmtree(lake, ignore_errors=True)
        subprocess.run([arguments.sluice, "init", lake], check=True, stdout=subprocess.DEVNULL)
        shutil.copy(file, os.path.join(lake, "sluice.toml"))

    def land(threads):
        return [arguments.sluice, "--lake", lake, "land", "--skip-gold", "--threads", str(threads), source]

    def peer(by, of=source):
        return lambda _: [sys.executable, os.path.join(HERE, "peer_trace.py"), by, of, os.path.join(work, f"{by}.parquet")]

    contenders = [
        measure.Contender(
            "sluice flatten, lossless bronze and silver", flatten, lambda: shutil.rmtree(flattened, ignore_errors=True)
        ),
        measure.Contender("orjson + pyarrow, one table", peer("orjson")),
        measure.Contender("json + pyarrow, one table", peer("json")),
        measure.Contender(
            f"DuckDB, one table (a sixteenth of the file, its time times {DUCKDB_SHARE})",
            peer("duckdb", small),
            runs=1,
            scale=DUCKDB_SHARE,
        ),
        measure.Contender("sluice land, bronze and silver, durable in a lake", land, prepare),
    ]
    measure.warm(source)
    size = os.path.getsize(source)
    print(f"trace: {size / 2**20:.0f} MiB", flush=True)
    measure.paired(contenders, arguments.runs, size, (1, None))
    print("outputs read back:")
    expected = of_sluice(flattened)
    for by in ("orjson", "json"):
        found = of_peer(os.path.join(work, f"{by}.parquet"))
        if found != expected:
            raise SystemExit(f"{by} and sluice differ:\n{found}\n{expected}")
    print(f"    {expected[0]} events, the same counts and nanoseconds by category")
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
