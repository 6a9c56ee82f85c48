"""Compares the gold tables of one capture, as DuckDB reads them, with the oracle's own matching of collectives."""

import argparse

import oracle
import readers
from verdict import Verdict


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("lake", "dataset"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--traces", nargs="+", required=True)
    arguments = parser.parse_args()
    verdict = Verdict()
    expected = oracle.straggler(arguments.traces)
    duck = readers.Duck()
    relation = duck.scan(arguments.lake, f"gold.{arguments.dataset}_straggler")
    row = duck.connection.execute(
        f"SELECT straggler_rank, times_last, collectives, most_nccl_rank, most_nccl_ns FROM {relation}"
    ).fetchall()
    loudest = expected["most_nccl_rank"]
    verdict.equal(
        "straggler",
        row,
        [
            (
                expected["straggler"],
                expected["times_last"],
                len(expected["collectives"]),
                loudest,
                expected["nccl_ns"][str(loudest)],
            )
        ],
    )
    relation = duck.scan(arguments.lake, f"gold.{arguments.dataset}_collective")
    rows = duck.connection.execute(
        f"SELECT first_start_ns, last_rank, delay_ns, wait_ns, ranks FROM {relation} ORDER BY first_start_ns"
    ).fetchall()
    verdict.equal("collectives", len(rows), len(expected["collectives"]))
    for found, collective in zip(rows, expected["collectives"]):
        names = ("first_start_ns", "last_rank", "delay_ns", "wait_ns", "ranks")
        verdict.equal("collective", dict(zip(names, found)), {name: collective[name] for name in names})
    verdict.print()


if __name__ == "__main__":
    main()
