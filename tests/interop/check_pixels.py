"""Compares a cube's silver pixels, as PyIceberg and DuckDB read them, with what numpy computes from its bytes."""

import argparse

import numpy as np

import envi
import oracle
import readers
from verdict import Verdict


def matrix(table, names):
    """(values[row, band] with NaN for null, nulls[row, band]) in the order of line and sample."""
    order = np.lexsort((table["sample"].to_numpy(), table["line"].to_numpy()))
    # Companions in double precision stay in it.
    dtype = table.schema.field(names[0]).type.to_pandas_dtype()
    values = np.empty((table.num_rows, len(names)), dtype)
    nulls = np.empty((table.num_rows, len(names)), bool)
    for band, name in enumerate(names):
        column = table[name].combine_chunks()
        nulls[:, band] = column.is_null().to_numpy(zero_copy_only=False)[order]
        values[:, band] = column.fill_null(np.nan).to_numpy(zero_copy_only=False)[order]
    return values, nulls


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("lake", "table", "payload", "header", "image"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--dark", nargs=2)
    parser.add_argument("--white", nargs=2)
    parser.add_argument("--within", type=float, help="largest absolute difference that a stated rounding allows")
    arguments = parser.parse_args()
    verdict = Verdict()
    expected, null = oracle.pixels(arguments.header, arguments.image, arguments.dark, arguments.white)
    fields = envi.header(arguments.header)
    lines, samples, bands = (int(fields[key]) for key in ("lines", "samples", "bands"))
    names = [f"b{band + 1:0{max(3, len(str(bands)))}}" for band in range(bands)]
    columns = ["line", "sample", "q"] + names
    duck = readers.Duck()
    relation = duck.scan(arguments.lake, arguments.table)
    tables = {
        "PyIceberg": readers.by_pyiceberg(
            arguments.lake, arguments.table, columns, f"payload_id == '{arguments.payload}'"
        ),
        "DuckDB": duck.arrow(f"SELECT {', '.join(columns)} FROM {relation} WHERE payload_id = '{arguments.payload}'"),
    }
    for reader, table in tables.items():
        verdict.equal(f"{reader}: rows", table.num_rows, lines * samples)
        if table.num_rows != lines * samples:
            continue
        pairs = np.stack([table["line"].to_numpy(), table["sample"].to_numpy()], 1)
        verdict.equal(f"{reader}: distinct (line, sample)", len(np.unique(pairs, axis=0)), lines * samples)
        found, found_null = matrix(table, names)
        verdict.equal(f"{reader}: nulls", int((found_null != null).sum()), 0)
        good = ~(null | found_null)
        rounded = expected.astype(found.dtype)
        difference = np.abs(found[good].astype(np.float64) - expected[good])
        if arguments.within is not None:
            verdict.true(f"{reader}: within {arguments.within}", (difference <= arguments.within).all(), difference.max())
        elif arguments.white:
            # A reflectance is near 1: the order of three operations is free, nothing else.
            verdict.true(f"{reader}: calibrated values", (difference <= 5e-7).all(), difference.max())
        else:
            verdict.equal(f"{reader}: values that differ", int((found[good] != rounded[good]).sum()), 0)
        quality = table["q"].to_numpy()
        order = np.lexsort((table["sample"].to_numpy(), table["line"].to_numpy()))
        marked = (quality[order] & 0b101) != 0
        verdict.equal(f"{reader}: q where a band is null", int((marked != null.any(axis=1)).sum()), 0)
    verdict.print()


if __name__ == "__main__":
    main()
