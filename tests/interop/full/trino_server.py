"""Trino as a server under check."""

from pathlib import Path

import install
from servers import CACHE, KEY, REGION, SECRET, Server, answers, free_port

JVM = """-server
-Xmx2G
-XX:+UseG1GC
-XX:+ExitOnOutOfMemoryError
-Djdk.attach.allowAttachSelf=true
-Duser.timezone=UTC
--add-modules=jdk.incubator.vector
--enable-native-access=ALL-UNNAMED
"""


def properties(pairs):
    return "".join(f"{name}={value}\n" for name, value in pairs.items())


def over_sqlite(lake):
    """The lake's own catalog file; an engine that writes keeps its tables in the lake."""
    return {
        "connector.name": "iceberg",
        "iceberg.catalog.type": "jdbc",
        "iceberg.jdbc-catalog.driver-class": "org.sqlite.JDBC",
        "iceberg.jdbc-catalog.connection-url": f"jdbc:sqlite:{lake}/catalog.db",
        "iceberg.jdbc-catalog.connection-user": "nobody",
        "iceberg.jdbc-catalog.connection-password": "nothing",
        "iceberg.jdbc-catalog.catalog-name": "sluice",
        "iceberg.jdbc-catalog.default-warehouse-dir": f"file://{lake}/warehouse",
        "iceberg.jdbc-catalog.schema-version": "V1",
        "fs.hadoop.enabled": "true",
    }


def over_rest(catalog, store):
    """A REST catalog, with the tables in an object store."""
    settings = {
        "connector.name": "iceberg",
        "iceberg.catalog.type": "rest",
        "iceberg.rest-catalog.uri": catalog.uri,
        # Some servers answer the question for a view with an error that is not 404.
        "iceberg.rest-catalog.view-endpoints-enabled": "false",
        "fs.native-s3.enabled": "true",
        "s3.endpoint": store.uri,
        "s3.path-style-access": "true",
        "s3.region": REGION,
        "s3.aws-access-key": KEY,
        "s3.aws-secret-key": SECRET,
    }
    return settings | ({"iceberg.rest-catalog.warehouse": catalog.warehouse} if catalog.warehouse else {})


class TrinoServer(Server):
    """With one catalog, `sluice`."""

    def __init__(self, catalog, etc):
        self.port = free_port()
        address = f"http://127.0.0.1:{self.port}"
        home, etc = CACHE / "trino/server", Path(etc)
        (etc / "catalog").mkdir(parents=True)
        (etc / "catalog/sluice.properties").write_text(properties(catalog))
        (etc / "jvm.config").write_text(JVM)
        (etc / "node.properties").write_text("node.environment=full\n")
        settings = {
            "coordinator": "true",
            "node-scheduler.include-coordinator": "true",
            "http-server.http.port": self.port,
            "discovery.uri": address,
            "node.internal-address": "127.0.0.1",
            "node.bind-ip": "127.0.0.1",
            "plugin.dir": home / "plugin",
            "web-ui.enabled": "false",
        }
        (etc / "config.properties").write_text(properties(settings))
        words = [home / "bin/launcher", "run", "--etc-dir", etc, "--data-dir", etc.parent / "data"]
        java = install.java(24, 25)
        super().__init__(words, lambda: self.started(address), {"JAVA_HOME": java, "PATH": f"{java}/bin:/usr/bin:/bin"})

    def started(self, address):
        return answers(f"{address}/v1/info") and "SERVER STARTED" in self.said()
