"""Trino and Spark as one thing: SQL in, rows out, in the form that `rows` has for all readers."""

import os
import struct
import tempfile
import uuid
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

import install
import rows
import trino_server
from servers import CACHE, KEY, REGION, SECRET


class Trino:
    """A server and a connection to it; a context manager."""

    name = "Trino"

    def __init__(self, catalog):
        import trino

        self.folder = tempfile.TemporaryDirectory(prefix="sluice-full-")
        self.server = trino_server.TrinoServer(catalog, Path(self.folder.name, "etc"))
        self.connection = trino.dbapi.connect(
            host="127.0.0.1", port=self.server.port, user="nobody", catalog="sluice", http_scheme="http", timezone="UTC"
        )

    @classmethod
    def of_lake(cls, lake):
        return cls(trino_server.over_sqlite(lake.path))

    @classmethod
    def of_catalog(cls, catalog, store):
        return cls(trino_server.over_rest(catalog, store))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop()
        self.folder.cleanup()

    def sql(self, query):
        """Column names, and rows as the client has them."""
        cursor = self.connection.cursor()
        try:
            cursor.execute(query)
            found = cursor.fetchall()
        except Exception as error:
            raise RuntimeError(f"Trino did not do `{query}`") from error
        return [column[0] for column in cursor.description or []], found

    def rows(self, query, schema):
        """Plain rows, of this Arrow schema."""
        _, found = self.sql(query)
        return [tuple(of_trino(value, field.type) for value, field in zip(row, schema, strict=True)) for row in found]

    def quoted(self, name):
        return f'"{name}"'

    def at(self, table, snapshot):
        return f"{table} FOR VERSION AS OF {snapshot}"

    def tables(self, layer):
        return sorted(name for (name,) in self.sql(f"SHOW TABLES FROM sluice.{layer}")[1])

    def metadata(self, table, kind):
        """A metadata table."""
        layer, name = table.split(".")
        return f'{layer}."{name}${kind}"'


def of_trino(value, kind):
    """A value of Trino's client as `rows.plain` has it, by the type that it must have."""
    if value is None:
        return None
    if pa.types.is_float32(kind):
        return rows.plain(struct.unpack("f", struct.pack("f", value))[0])
    if pa.types.is_struct(kind):
        fields = [kind.field(index) for index in range(kind.num_fields)]
        items = ((field.name, of_trino(item, field.type)) for field, item in zip(fields, value, strict=True))
        return tuple(sorted((name, item) for name, item in items if item is not None))
    if pa.types.is_map(kind):
        items = ((str(key), of_trino(item, kind.item_type)) for key, item in value.items())
        return tuple(sorted((key, item) for key, item in items if item is not None))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return tuple(of_trino(item, kind.value_type) for item in value)
    if pa.types.is_decimal(kind):
        return Decimal(value).normalize()
    return value.bytes.hex() if isinstance(value, uuid.UUID) else rows.plain(value)


class Spark:
    """A session in this process, with a Java of its own that ends with it; a context manager."""

    name = "Spark"

    def __init__(self, catalog):
        self.folder = tempfile.TemporaryDirectory(prefix="sluice-full-")
        os.environ["JAVA_HOME"] = install.java(17, 21)
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
        from pyspark.sql import SparkSession

        jars = ",".join(str(jar) for jar in sorted((CACHE / "spark").glob("*.jar")))
        folder = self.folder.name
        settings = {
            "spark.jars": jars,
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.memory": "2g",
            "spark.driver.extraJavaOptions": f"-Duser.timezone=UTC -Djava.io.tmpdir={folder}",
            "spark.ui.enabled": "false",
            "spark.log.level": "ERROR",
            "spark.local.dir": folder,
            "spark.sql.warehouse.dir": f"{folder}/warehouse",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.shuffle.partitions": "2",
            "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
            "spark.sql.defaultCatalog": "sluice",
            "spark.sql.catalog.sluice": "org.apache.iceberg.spark.SparkCatalog",
            **{f"spark.sql.catalog.sluice.{name}": value for name, value in catalog.items()},
        }
        builder = SparkSession.builder.master("local[2]")
        for name, value in settings.items():
            builder = builder.config(name, value)
        self.session = builder.getOrCreate()

    @classmethod
    def of_lake(cls, lake):
        return cls({
            "catalog-impl": "org.apache.iceberg.jdbc.JdbcCatalog",
            "uri": f"jdbc:sqlite:{lake.path}/catalog.db",
            "jdbc.schema-version": "V1",
            "warehouse": f"file://{lake.path}/warehouse",
            "cache-enabled": "false",
        })

    @classmethod
    def of_catalog(cls, catalog, store):
        settings = {
            "type": "rest",
            "uri": catalog.uri,
            "io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
            "s3.endpoint": store.uri,
            "s3.path-style-access": "true",
            "s3.access-key-id": KEY,
            "s3.secret-access-key": SECRET,
            "client.region": REGION,
            "cache-enabled": "false",
        }
        return cls(settings | ({"warehouse": catalog.warehouse} if catalog.warehouse else {}))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.session.stop()
        self.folder.cleanup()

    def sql(self, query):
        """Column names, and rows as Spark has them."""
        frame = self.session.sql(query)
        return frame.columns, [tuple(row) for row in frame.collect()]

    def rows(self, query, schema):
        """Plain rows, of this Arrow schema."""
        found = self.session.sql(query).toArrow()
        assert len(found.column_names) == len(schema), f"expected {len(schema)} columns, found {found.column_names}"
        return list(rows.of_arrow(found.rename_columns([str(number) for number in range(len(schema))])).elements())

    def quoted(self, name):
        return f"`{name}`"

    def at(self, table, snapshot):
        return f"{table} VERSION AS OF {snapshot}"

    def tables(self, layer):
        return sorted(row[1] for row in self.sql(f"SHOW TABLES IN sluice.{layer}")[1])

    def metadata(self, table, kind):
        """A metadata table."""
        return f"{table}.{kind}"


ENGINES = {"trino": Trino, "spark": Spark}
