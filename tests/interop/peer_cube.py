"""A cube to calibrated wide Parquet as a person with numpy and pyarrow writes it: windows of lines, one file a worker.

No temporary is larger than a window; bands go to Arrow without a copy; exact f32, byte-stream-split, zstd 1.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import envi

WINDOW_LINES = 64


def write(arguments, first, last, path):
    pa.set_cpu_count(1)
    fields, raw = envi.cube(arguments.header, arguments.image)
    _, samples, bands = raw.shape
    dark = envi.cube(*arguments.dark)[1].astype(np.float64).mean(axis=0)
    white = envi.cube(*arguments.white)[1].astype(np.float64).mean(axis=0)
    gain = (1.0 / (white - dark)).astype(np.float32)
    dark = dark.astype(np.float32)
    names = [f"b{band + 1:03}" for band in range(bands)]
    schema = pa.schema(
        [("payload_id", pa.string()), ("line", pa.int32()), ("sample", pa.int32()), ("q", pa.int32())]
        + [(name, pa.float32()) for name in names]
    )
    writer = pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=["payload_id"],
        column_encoding={name: "BYTE_STREAM_SPLIT" for name in names},
    )
    for line in range(first, last, WINDOW_LINES):
        lines = min(WINDOW_LINES, last - line)
        window = raw[line : line + lines]
        rows = lines * samples
        columns = [
            pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int8)), ["bench"]).cast(pa.string()),
            pa.array(np.repeat(np.arange(line, line + lines, dtype=np.int32), samples)),
            pa.array(np.tile(np.arange(samples, dtype=np.int32), lines)),
            pa.array(np.zeros(rows, np.int32)),
        ]
        for band in range(bands):
            values = window[:, :, band].astype(np.float32)
            values -= dark[:, band]
            values *= gain[:, band]
            columns.append(pa.array(values.reshape(-1)))
        writer.write_table(pa.Table.from_arrays(columns, schema=schema), row_group_size=rows)
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("header", "image", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--dark", nargs=2, required=True)
    parser.add_argument("--white", nargs=2, required=True)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    os.makedirs(arguments.out, exist_ok=True)
    lines = int(envi.header(arguments.header)["lines"])
    cuts = [lines * worker // arguments.workers for worker in range(arguments.workers + 1)]
    jobs = [(cuts[i], cuts[i + 1], os.path.join(arguments.out, f"part{i}.parquet")) for i in range(arguments.workers)]
    if arguments.workers == 1:
        return write(arguments, *jobs[0])
    with ProcessPoolExecutor(arguments.workers) as pool:
        for future in [pool.submit(write, arguments, *job) for job in jobs]:
            future.result()


if __name__ == "__main__":
    main()
