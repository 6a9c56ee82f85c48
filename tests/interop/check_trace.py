"""Compares a trace's tables, as DuckDB reads them, with what Python's json reads from the file."""

import argparse
from collections import Counter

import oracle
import readers
from verdict import Verdict


# The document's own members are rows of the same table.
EVENTS = "AND kind = 'event'"


def number(value):
    """Identifiers may be numbers or text: compared as text."""
    return None if value is None else str(value)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("lake", "dataset", "payload", "trace"):
        parser.add_argument(f"--{name}", required=True)
    arguments = parser.parse_args()
    verdict = Verdict()
    duck = readers.Duck()

    def ask(layer, suffix, select, tail=""):
        relation = duck.scan(arguments.lake, f"{layer}.{arguments.dataset}_{suffix}")
        query = f"SELECT {select} FROM {relation} WHERE payload_id = '{arguments.payload}' {tail}"
        return duck.connection.execute(query).fetchall()

    facts = oracle.trace(arguments.trace)
    found = oracle.events(oracle.load_trace(arguments.trace))
    verdict.equal("events", ask("bronze", "events", "count(*)", EVENTS), [(facts["events"],)])
    for column, expected in (("ph", facts["by_ph"]), ("cat", facts["by_cat"])):
        grouped = ask("bronze", "events", f"coalesce({column}, 'None'), count(*)", f"{EVENTS} GROUP BY 1")
        verdict.equal(f"events by {column}", dict(grouped), dict(expected))

    complete = [event for event in found if event.get("ph") == "X"]
    expected = Counter(
        (event.get("name"), event.get("cat"), oracle.nanoseconds(event["ts"]), oracle.nanoseconds(event["dur"]))
        for event in complete
        if "dur" in event
    )
    slices = Counter(ask("silver", "slice", "name, cat, ts_ns, dur_ns", "AND dur_ns IS NOT NULL"))
    missing, extra = expected - slices, slices - expected
    verdict.true("slices that are missing", not missing, list(missing)[:3])
    verdict.true("slices too many", not extra, list(extra)[:3])

    kernels = Counter()
    for event in complete:
        if event.get("cat") in oracle.KERNEL_CATS:
            args = event.get("args", {})
            kind = "memory" if event["cat"] not in ("kernel", "Kernel") else "comm" if oracle.is_comm(event) else "compute"
            times = (oracle.nanoseconds(event["ts"]), oracle.nanoseconds(event["dur"]))
            kernels[(event["name"], event["cat"], *times, number(args.get("stream")), kind)] += 1
    rows = ask("silver", "kernel", "name, cat, ts_ns, dur_ns, CAST(stream AS VARCHAR), kernel_type")
    verdict.equal("kernels", Counter(rows) - kernels, Counter())
    verdict.equal("kernels that are missing", kernels - Counter(rows), Counter())

    launches = {}
    for event in complete:
        if event.get("cat") in ("cuda_runtime", "cuda_driver", "Runtime", "hip_runtime"):
            args = event.get("args", {})
            correlation = args.get("correlation", args.get("External id"))
            if "Launch" in event["name"] and "correlation" in args:
                launches[correlation] = oracle.nanoseconds(event["ts"])
    for correlation, launch in ask("silver", "kernel", "correlation, launch_ts_ns", "AND lower(cat) = 'kernel'"):
        if correlation in launches:
            verdict.equal(f"launch of {correlation}", launch, launches[correlation])

    verdict.equal("memory changes", ask("silver", "memory", "count(*)"), [(facts["memory"],)])
    verdict.print()


if __name__ == "__main__":
    main()
