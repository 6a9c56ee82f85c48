"""A lake as everybody reads it: PyIceberg straight from the SQLite catalog, DuckDB and Polars from a table's metadata
file, and our own SQL by the program."""

import json
import os
import sqlite3
import subprocess
import sys
import warnings
from urllib.parse import unquote, urlparse

import duckdb
from pyiceberg.catalog.sql import SqlCatalog

LAYERS = ("bronze", "silver", "gold")


def catalog(lake):
    """The embedded catalog, opened by its documented layout."""
    path = os.path.join(os.path.abspath(lake), "catalog.db")
    assert os.path.isfile(path), f"no catalog in {path}"
    return SqlCatalog("sluice", uri=f"sqlite:///{path}", warehouse=f"file://{os.path.abspath(lake)}/warehouse")


def tables(lake):
    """(namespace, name) of every table, by PyIceberg."""
    opened = catalog(lake)
    return sorted(name for layer in LAYERS if opened.namespace_exists(layer) for name in opened.list_tables(layer))


def by_pyiceberg(lake, table, columns=("*",), where=None):
    """An Arrow table."""
    opened = catalog(lake).load_table(table)
    scan = opened.scan(selected_fields=tuple(columns)) if where is None else opened.scan(where, tuple(columns))
    return scan.to_arrow()


def metadata_file(lake, table):
    """Where the catalog says that the table's metadata is, read with plain SQL."""
    layer, name = table.split(".", 1) if isinstance(table, str) else table
    with sqlite3.connect(os.path.join(lake, "catalog.db")) as connection:
        row = connection.execute(
            "SELECT metadata_location FROM iceberg_tables WHERE table_namespace = ? AND table_name = ?", (layer, name)
        ).fetchone()
    assert row, f"the catalog has no table {layer}.{name}"
    return unquote(urlparse(row[0]).path) if row[0].startswith("file:") else row[0]


def by_polars(lake, table):
    """An Arrow table."""
    import polars

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return polars.scan_iceberg(f"file://{metadata_file(lake, table)}").collect().to_arrow()


def by_sluice(lake, query, *options):
    """Rows as JSON has them: an absent key is null."""
    program = os.environ["SLUICE_BIN"]
    command = [program, "--lake", str(lake), "sql", query, "--format", "json", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{query}\n{done.stderr}")
    return json.loads(done.stdout)


def bucket_catalog(name, store):
    """The catalog of a lake whose tables lie in an object store: a SQLite file or the URI of a REST catalog."""
    from pyiceberg.catalog.rest import RestCatalog

    properties = {
        "s3.endpoint": store,
        "s3.access-key-id": "test",
        "s3.secret-access-key": "test",
        "s3.region": "us-east-1",
        "s3.path-style-access": "true",
    }
    if name.startswith("http"):
        return RestCatalog("lake", uri=name, warehouse="000000000000", **properties)
    return SqlCatalog("sluice", uri=f"sqlite:///{name}", **properties)


def bucket_duck(store):
    """A connection of DuckDB that reads from an object store."""
    import duckdb_extensions

    for extension in ("avro", "httpfs", "iceberg"):
        duckdb_extensions.import_extension(extension)
    connection = duckdb.connect()
    connection.execute("LOAD avro; LOAD httpfs; LOAD iceberg;")
    connection.execute(
        "CREATE SECRET (TYPE s3, KEY_ID 'test', SECRET 'test', REGION 'us-east-1', URL_STYLE 'path', USE_SSL false, "
        f"ENDPOINT '{urlparse(store).netloc}')"
    )
    return connection


class Duck:
    """DuckDB with its Iceberg extension, loaded from wheels: nothing is downloaded."""

    def __init__(self):
        import duckdb_extensions

        for extension in ("avro", "iceberg"):
            duckdb_extensions.import_extension(extension)
        self.connection = duckdb.connect()
        self.connection.execute("LOAD avro; LOAD iceberg;")

    def scan(self, lake, table):
        """SQL text of a relation."""
        return f"iceberg_scan('{metadata_file(lake, table)}')"

    def arrow(self, query):
        return self.connection.execute(query).to_arrow_table()


if __name__ == "__main__":
    json.dump([".".join(name) for name in tables(sys.argv[1])], sys.stdout)
