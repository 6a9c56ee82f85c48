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


def bands_of(table, names):
    """The columns of a table that hold bands."""
    return [c for c in table.column_names if c in names.values() or c[0] == "b" and c[1:].isdigit()]


def compare(result, reader, table, payloads, names):
    """`names` are those of bands that were renamed, by number."""
    identities = np.array(table["payload_id"].to_pylist())
    result.equal(f"{reader}: payloads", sorted(set(identities.tolist())), sorted(p["id"] for p in payloads))
    for payload in payloads:
        values = expected_rows(payload)
        lines, samples, bands = values.shape
        rows = table.filter(identities == payload["id"])
        at = list(zip(rows["line"].to_pylist(), rows["sample"].to_pylist()))
        result.equal(f"{reader}: pixels of {payload['id'][:12]}", sorted(at), [(l, s) for l in range(lines) for s in range(samples)])
        for band in range(1, max(len(bands_of(table, names)), bands) + 1):
            found = rows[names.get(str(band), f"b{band:03}")].to_pylist()
            wanted = [float(values[l, s, band - 1]) if band <= bands else None for l, s in at]
            result.equal(f"{reader}: band {band} of {payload['id'][:12]}", found, wanted)


def main():
    lake, spec = sys.argv[1:]
    spec = json.load(open(spec))
    payloads, names = spec["payloads"], spec["bands"]
    result = verdict.Verdict()
    if spec.get("store"):
        catalog, duck = readers.bucket_catalog(spec["catalog"], spec["store"]), readers.bucket_duck(spec["store"])
        by_pyiceberg = catalog.load_table(TABLE).scan().to_arrow()
        scan = lambda table: f"iceberg_scan('{catalog.load_table(table).metadata_location}')"
    else:
        by_pyiceberg, duck = readers.by_pyiceberg(lake, TABLE), readers.Duck().connection
        scan = lambda table: f"iceberg_scan('{readers.metadata_file(lake, table)}')"
    arrow = lambda query: duck.execute(query).to_arrow_table()
    compare(result, "PyIceberg", by_pyiceberg, payloads, names)
    compare(result, "DuckDB", arrow(f"SELECT * FROM {scan(TABLE)}"), payloads, names)
    found = arrow(f"SELECT payload_id FROM {scan('bronze.payloads')}")["payload_id"].to_pylist()
    result.equal("rows of bronze.payloads", sorted(found), sorted(p["id"] for p in payloads))
    result.print()


if __name__ == "__main__":
    main()
