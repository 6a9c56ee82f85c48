"""The lakehouse: queries against DuckDB over the same Parquet files, commits on top of many snapshots, landing of many
files, undo and compaction where the program has them.

Each run is a process of its own; seconds of a query go from opening the lake, or the connection, to the last row.
"""

import argparse
import glob
import json
import os
import shutil
import statistics
import subprocess
import sys

import measure

HERE = os.path.dirname(os.path.abspath(__file__))
ROUTES = """
[[route]]
match = "*.hdr"
plugin = "envi"
dataset = "bench"
config = {{ exposure = "equal", layers = ["silver"] }}
references = {{ dark = "{dark}", white = "{white}" }}

[[route]]
match = "*.json"
plugin = "chrome-trace"
dataset = "traces"
"""
SNAPSHOTS = (10, 1_000, 10_000)
FILES = 1_000


def queries(payload, bands):
    """Name, table and SQL of each question; `{t}` is the table."""
    last = f"b{bands:03}"
    every = ", ".join(f"sum(b{band:03})" for band in range(1, bands + 1))
    return [
        ("3 columns with a filter", "bench_pixels", f"SELECT count(*) AS n, sum(b001) AS a, max(b100) AS b FROM {{t}} WHERE {last} > 0.5"),
        ("aggregate by payload", "bench_pixels", "SELECT payload_id, count(*) AS n, avg(b010) AS a FROM {t} GROUP BY payload_id ORDER BY payload_id"),
        ("point lookup by payload id", "bench_pixels", f"SELECT line, sample, b001, {last} FROM {{t}} WHERE payload_id = '{payload}' AND line = 17 AND sample < 3 ORDER BY sample"),
        ("full scan, all bands", "bench_pixels", f"SELECT {every} FROM {{t}}"),
        ("rows of one band", "bench_pixels", "SELECT b050 FROM {t} WHERE b050 > 0.99 ORDER BY b050 DESC LIMIT 20"),
        ("group by text", "traces_slice", "SELECT name, count(*) AS n, sum(dur_ns) AS total FROM {t} GROUP BY name ORDER BY n DESC, name LIMIT 20"),
        ("text filter", "traces_slice", "SELECT count(*) AS n, max(dur_ns) AS longest FROM {t} WHERE name LIKE '%gemm%'"),
    ]


def sluice_query(example, lake, sql):
    return [example, "query", lake, sql]


def duckdb_query(files, sql):
    program = (
        "import json, sys, time, duckdb\n"
        "began = time.perf_counter()\n"
        "connection = duckdb.connect()\n"
        "connection.execute('SET enable_progress_bar = false')\n"
        "answer = connection.execute(sys.argv[1])\n"
        "names = [column[0] for column in answer.description]\n"
        "rows = answer.fetchall()\n"
        "seconds = time.perf_counter() - began\n"
        "print(json.dumps({'seconds': seconds, 'rows': [dict(zip(names, row)) for row in rows]}, default=str))\n"
    )
    return [sys.executable, "-c", program, sql.format(t=f"read_parquet({files!r})")]


def run(command):
    """The JSON that a contender prints, with its peak memory in MiB."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{command[:2]}\n{errors.decode(errors='replace')}")
    return json.loads(out) | {"rss_mib": usage.ru_maxrss / 1024}


def same(ours, theirs):
    """Equal rows; sums of floats only as far as their order allows."""
    if len(ours) != len(theirs):
        return False
    for one, other in zip(ours, theirs):
        for a, b in zip(one.values(), other.values()):
            if isinstance(a, float) or isinstance(b, float):
                if abs(float(a) - float(b)) > 1e-3 * max(1.0, abs(float(b))):
                    return False
            elif str(a) != str(b):
                return False
    return True


def measured_queries(arguments, lake, payload, bands):
    results = []
    for name, table, sql in queries(payload, bands):
        files = sorted(glob.glob(os.path.join(lake, f"warehouse/silver/{table}/data/**/*.parquet"), recursive=True))
        pairs = {"sluice": [], "duckdb": []}
        for number in range(arguments.runs + 1):
            ours = run(sluice_query(arguments.example, lake, sql.format(t=f"silver.{table}")))
            theirs = run(duckdb_query(files, sql))
            if not same(ours["rows"], theirs["rows"]):
                raise SystemExit(f"{name}: answers differ\n{ours['rows'][:3]}\n{theirs['rows'][:3]}")
            if number:  # The first one only warms the page cache.
                pairs["sluice"].append(ours)
                pairs["duckdb"].append(theirs)
        middle = {who: statistics.median(run["seconds"] for run in found) for who, found in pairs.items()}
        results.append(
            {
                "query": name,
                "rows": len(ours["rows"]),
                "sluice_s": middle["sluice"],
                "duckdb_s": middle["duckdb"],
                "ratio": middle["sluice"] / middle["duckdb"],
                "sluice_mib": max(run["rss_mib"] for run in pairs["sluice"]),
                "duckdb_mib": max(run["rss_mib"] for run in pairs["duckdb"]),
            }
        )
        print(f"    {name}: {middle['sluice']:.3f} s, DuckDB {middle['duckdb']:.3f} s", file=sys.stderr, flush=True)
    return results


def fresh(work, name):
    lake = os.path.join(work, name)
    shutil.rmtree(lake, ignore_errors=True)
    return lake


def measured_commits(arguments):
    return [run([arguments.example, "commit", fresh(arguments.work, "commits"), str(count)]) for count in SNAPSHOTS]


def measured_landing(arguments):
    return run([arguments.example, "land", fresh(arguments.work, "landing"), str(FILES)])


def measured_operations(arguments, lake, payload):
    """Compaction of the wide table, then undo of one payload in it, each by the program."""
    files = glob.glob(os.path.join(lake, "warehouse/silver/bench_pixels/data/**/*.parquet"), recursive=True)
    size = sum(os.path.getsize(path) for path in files)
    program = [arguments.sluice, "--lake", lake]
    seconds, rss = measure.run([*program, "compact", "silver.bench_pixels", "--target-size", "1GiB"], None)
    compacted = {"operation": "compaction", "files": len(files), "seconds": seconds, "mb_per_s": size / 1e6 / seconds, "rss_mib": rss}
    live = run(sluice_query(arguments.example, lake, "SELECT count(*) AS n FROM silver.bench_pixels$files"))["rows"][0]["n"]
    seconds, rss = measure.run([*program, "undo", "--payload", payload, "--yes", "--skip-gold"], None)
    undone = {"operation": "undo of a payload", "files": live, "seconds": seconds, "mb_per_s": size / 1e6 / seconds, "rss_mib": rss}
    left = run(sluice_query(arguments.example, lake, f"SELECT count(*) AS n FROM silver.bench_pixels WHERE payload_id = '{payload}'"))
    if left["rows"] != [{"n": 0}]:
        raise SystemExit(f"undo left rows: {left['rows']}")
    return [compacted, undone]


def land(arguments):
    """A lake with all payloads; its path, the id of one payload and the number of bands."""
    lake = fresh(arguments.work, "lake")
    subprocess.run([arguments.sluice, "init", lake], check=True, stdout=subprocess.DEVNULL)
    stem = os.path.abspath(arguments.payload[0]).removesuffix(".hdr")
    with open(os.path.join(lake, "sluice.toml"), "w") as file:
        file.write(ROUTES.format(dark=f"{stem}_dark.hdr", white=f"{stem}_white.hdr"))
    command = [arguments.sluice, "--lake", lake, "land", "--skip-gold", "--format", "json", *arguments.payload]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    answer = run(sluice_query(arguments.example, lake, "SELECT min(payload_id) AS p FROM silver.bench_pixels"))
    columns = run(sluice_query(arguments.example, lake, "SELECT * FROM silver.bench_pixels LIMIT 1"))["rows"][0]
    bands = sum(1 for name in columns if name[0] == "b" and name[1:].isdigit())
    return lake, answer["rows"][0]["p"], bands


def table(rows, columns):
    """Markdown."""
    def shown(value):
        return f"{value:.3g}" if isinstance(value, float) else str(value)

    print(f"\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(shown(row[name]) for name in columns)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("sluice", "example", "work"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--payload", action="append", required=True)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--format", choices=("table", "json"), default="table")
    arguments = parser.parse_args()
    os.makedirs(arguments.work, exist_ok=True)
    lake, payload, bands = land(arguments)
    for path in glob.glob(os.path.join(lake, "warehouse/silver/*/data/**/*.parquet"), recursive=True):
        measure.warm(path)
    results = {
        "queries": measured_queries(arguments, lake, payload, bands),
        "commits": measured_commits(arguments),
        "landing": measured_landing(arguments),
        "operations": measured_operations(arguments, lake, payload),
    }
    shutil.rmtree(arguments.work)
    if arguments.format == "json":
        json.dump(results, sys.stdout, indent=2)
        return
    table(results["queries"], ("query", "sluice_s", "duckdb_s", "ratio", "sluice_mib", "duckdb_mib"))
    table(results["commits"], ("snapshots", "commit_ms", "metadata_bytes", "expired", "expire_seconds", "commit_ms_after_expiry", "rss_mib"))
    table([results["landing"]], ("files", "bytes_per_file", "ms_per_file", "read_per_file", "written_per_file", "commit_ms", "rss_mib"))
    table(results["operations"], ("operation", "files", "seconds", "mb_per_s", "rss_mib"))


if __name__ == "__main__":
    main()
