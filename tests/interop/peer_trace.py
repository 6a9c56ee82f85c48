"""A trace to Parquet as a person with a JSON parser and pyarrow, or with DuckDB, writes it.

One row per event: ph, cat, name, pid, tid, ts_ns and dur_ns exact, correlation, stream, and the args as JSON text.
"""

import argparse
import json
from decimal import Decimal

SCALE = 1000


def nanoseconds(value):
    if value is None:
        return None
    # Exact: a double of microseconds since a base is off by up to a nanosecond only after 104 days.
    return round(value * SCALE) if not isinstance(value, Decimal) else int(value * SCALE)


def with_parser(loads, dumps, source, out):
    import pyarrow as pa
    import pyarrow.parquet as pq

    with open(source, "rb") as file:
        events = loads(file.read())["traceEvents"]
    text = lambda value: None if value is None else str(value)
    args = [event.get("args") for event in events]
    table = pa.table(
        {
            "ph": pa.array([event.get("ph") for event in events]).dictionary_encode(),
            "cat": pa.array([event.get("cat") for event in events]).dictionary_encode(),
            "name": pa.array([event.get("name") for event in events]).dictionary_encode(),
            "pid": pa.array([text(event.get("pid")) for event in events]).dictionary_encode(),
            "tid": pa.array([text(event.get("tid")) for event in events]).dictionary_encode(),
            "ts_ns": pa.array([nanoseconds(event.get("ts")) for event in events], pa.int64()),
            "dur_ns": pa.array([nanoseconds(event.get("dur")) for event in events], pa.int64()),
            "correlation": pa.array([a.get("correlation") if a else None for a in args], pa.int64()),
            "stream": pa.array([a.get("stream") if a else None for a in args], pa.int64()),
            "args": pa.array([dumps(a) if a is not None else None for a in args]),
        }
    )
    pq.write_table(table, out, compression="zstd", compression_level=1)


def with_duckdb(source, out):
    import duckdb

    connection = duckdb.connect()
    connection.execute(
        f"""COPY (
            SELECT e->>'ph' AS ph, e->>'cat' AS cat, e->>'name' AS name, e->>'pid' AS pid, e->>'tid' AS tid,
                   CAST(round(CAST(e->>'ts' AS DECIMAL(24, 4)) * 1000) AS BIGINT) AS ts_ns,
                   CAST(round(CAST(e->>'dur' AS DECIMAL(24, 4)) * 1000) AS BIGINT) AS dur_ns,
                   CAST(e->'args'->>'correlation' AS BIGINT) AS correlation,
                   CAST(e->'args'->>'stream' AS BIGINT) AS stream, CAST(e->'args' AS VARCHAR) AS args
            FROM (SELECT unnest(traceEvents) AS e FROM read_json('{source}', columns = {{traceEvents: 'JSON[]'}},
                  maximum_object_size = 2000000000))
        ) TO '{out}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"""
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("by", choices=("json", "orjson", "duckdb"))
    parser.add_argument("source")
    parser.add_argument("out")
    arguments = parser.parse_args()
    if arguments.by == "duckdb":
        with_duckdb(arguments.source, arguments.out)
    elif arguments.by == "orjson":
        import orjson

        with_parser(orjson.loads, lambda args: orjson.dumps(args).decode(), arguments.source, arguments.out)
    else:
        dumps = json.JSONEncoder(separators=(",", ":")).encode
        with_parser(json.loads, dumps, arguments.source, arguments.out)


if __name__ == "__main__":
    main()
