"""The pixels of exactly these payloads, value by value: numpy over the images against PyIceberg and DuckDB."""

import json
import sys

import numpy as np

import envi
import readers
import verdict

TABLE = "silver.any_pixels"


def expected_rows(payload):
    """(line, sample) -> values of the payload's bands."""
    _, values = envi.cube(payload["header"], payload["image"])
    return values.astype(np.float32)


def compare(result, reader, table, payloads):
    columns = table.column_names
    identities = np.array(table["payload_id"].to_pylist())
    result.equal(f"{reader}: payloads", sorted(set(identities.tolist())), sorted(p["id"] for p in payloads))
    for payload in payloads:
        values = expected_rows(payload)
        lines, samples, bands = values.shape
        rows = table.filter(identities == payload["id"])
        at = list(zip(rows["line"].to_pylist(), rows["sample"].to_pylist()))
        result.equal(f"{reader}: pixels of {payload['id'][:12]}", sorted(at), [(l, s) for l in range(lines) for s in range(samples)])
        for band in range(1, max(int(c[1:]) for c in columns if c[0] == "b" and c[1:].isdigit()) + 1):
            found = rows[f"b{band:03}"].to_pylist()
            wanted = [float(values[l, s, band - 1]) if band <= bands else None for l, s in at]
            result.equal(f"{reader}: band {band} of {payload['id'][:12]}", found, wanted)


def main():
    lake, spec = sys.argv[1:]
    payloads = json.load(open(spec))
    result = verdict.Verdict()
    compare(result, "PyIceberg", readers.by_pyiceberg(lake, TABLE), payloads)
    duck = readers.Duck()
    compare(result, "DuckDB", duck.arrow(f"SELECT * FROM {duck.scan(lake, TABLE)}"), payloads)
    found = duck.arrow(f"SELECT payload_id FROM {duck.scan(lake, 'bronze.payloads')}")["payload_id"].to_pylist()
    result.equal("rows of bronze.payloads", sorted(found), sorted(p["id"] for p in payloads))
    result.print()


if __name__ == "__main__":
    main()
