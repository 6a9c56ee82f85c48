"""Servers under check: each on 127.0.0.1 alone, on a free port, with its files in a folder that goes away, in a process
group of its own that ends with its owner, whatever happens."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import install

CACHE = Path(os.environ["SLUICE_FULL_CACHE"])
KEY, SECRET, REGION = "test", "test", "us-east-1"
PR_SET_PDEATHSIG = 1


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """A running program; a context manager."""

    def __init__(self, command, ready, environment=None, seconds=120):
        self.folder = tempfile.TemporaryDirectory(prefix="sluice-full-")
        self.log = open(Path(self.folder.name, "log"), "w+b")
        settings = {"PATH": os.environ["PATH"], "HOME": self.folder.name, **(environment or {})}
        self.process = subprocess.Popen(
            [str(word) for word in command],
            cwd=self.folder.name,
            env={name: str(value) for name, value in settings.items()},
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        try:
            self.wait(ready, seconds)
        except BaseException:
            self.stop()
            raise

    def wait(self, ready, seconds):
        until = time.monotonic() + seconds
        while not ready():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self.process.args[0]} did not start: {self.said()}")
            time.sleep(0.2)

    def said(self):
        """The end of its log."""
        return Path(self.log.name).read_bytes()[-4000:].decode(errors="replace")

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.log.close()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def answers(uri):
    """Whether a server answers at all."""
    try:
        with urllib.request.urlopen(uri, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


class Store(Server):
    """An S3 store with one bucket, and a catalog of the kind that Glue has; the server of the gate's tests."""

    bucket = "tables"

    def __init__(self):
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        places = {"BIND_HOST": "127.0.0.1", "MINISTACK_HOST": "127.0.0.1", "GATEWAY_PORT": self.port}
        super().__init__([Path(sys.executable).with_name("ministack")], lambda: answers(self.uri), places)
        urllib.request.urlopen(urllib.request.Request(f"{self.uri}/{self.bucket}", method="PUT")).close()

    def environment(self):
        """What every AWS tool needs to find it."""
        return {
            "AWS_ENDPOINT_URL": self.uri,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_EC2_METADATA_DISABLED": "true",
        }


class Catalog(Server):
    """An Iceberg REST catalog over the store: everything before `/v1`, the warehouse it is to be asked for, and what it
    cannot do by its nature, with the reason."""

    warehouse = None
    limits = {}


class Ministack(Catalog):
    """The store's own catalog; it needs no process."""

    name = "ministack"
    limits = {
        "branches": "a snapshot that is added becomes the table's current one, whatever branch it was added to",
        "rollback": "the current snapshot stays where it is when `main` moves back",
        "expiry": "snapshots that are to be removed stay, without a word",
    }

    def __init__(self, store):
        self.uri, self.warehouse = f"{store.uri}/iceberg", "000000000000"

    def stop(self):
        """The store ends by itself."""


class Reference(Catalog):
    """Iceberg's reference implementation over a SQLite file."""

    name = "reference"

    def __init__(self, store):
        port, folder = free_port(), CACHE / "rest"
        self.uri = f"http://127.0.0.1:{port}"
        self.kept = tempfile.TemporaryDirectory(prefix="sluice-full-")
        settings = {
            "CATALOG_CATALOG__IMPL": "org.apache.iceberg.jdbc.JdbcCatalog",
            "CATALOG_URI": f"jdbc:sqlite:{self.kept.name}/catalog.db",
            "CATALOG_JDBC_SCHEMA__VERSION": "V1",
            "CATALOG_WAREHOUSE": f"s3://{store.bucket}/",
            "CATALOG_IO__IMPL": "org.apache.iceberg.aws.s3.S3FileIO",
            "CATALOG_S3_ENDPOINT": store.uri,
            "CATALOG_S3_PATH__STYLE__ACCESS": "true",
            **store.environment(),
        }
        words = [Path(install.java(17, 21), "bin/java"), "-Xmx512m", f"-Djava.io.tmpdir={self.kept.name}"]
        words += ["-cp", f"{folder}/classes:{folder}/*", "org.apache.iceberg.rest.LoopbackCatalog", port]
        super().__init__(words, lambda: answers(f"{self.uri}/v1/config"), settings)

    def stop(self):
        super().stop()
        self.kept.cleanup()


class Nessie(Catalog):
    """Git for tables: every commit is one to a branch of the whole catalog."""

    name = "nessie"
    limits = {
        "tags": "a table shows its latest snapshot alone: we refuse to tag what would not be kept",
        "branches": "it shows to all what is added to a branch: we refuse to land on one",
        "rollback": "there is no earlier snapshot to go back to",
        "expiry": "it sets `gc.enabled` to false, and we refuse to expire then",
    }

    def __init__(self, store):
        port = free_port()
        self.uri = f"http://127.0.0.1:{port}/iceberg"
        secret = "urn:nessie-secret:quarkus:store"
        settings = {
            "quarkus.http.host": "127.0.0.1",
            "quarkus.http.port": port,
            "quarkus.management.enabled": "false",
            "nessie.version.store.type": "IN_MEMORY",
            "nessie.catalog.default-warehouse": "lake",
            "nessie.catalog.warehouses.lake.location": f"s3://{store.bucket}/",
            "nessie.catalog.service.s3.default-options.endpoint": f"{store.uri}/",
            "nessie.catalog.service.s3.default-options.path-style-access": "true",
            "nessie.catalog.service.s3.default-options.region": REGION,
            "nessie.catalog.service.s3.default-options.access-key": secret,
            "nessie.catalog.service.s3.default-options.request-signing-enabled": "false",
            "store.name": KEY,
            "store.secret": SECRET,
        }
        (jar,) = (CACHE / "nessie").glob("*.jar")
        words = [Path(install.java(21, 25), "bin/java"), "-Xmx1g", *(f"-D{key}={value}" for key, value in settings.items())]
        super().__init__([*words, "-jar", jar], lambda: answers(f"{self.uri}/v1/config"), store.environment())


class Rustberg(Catalog):
    """A catalog written in Rust, without anything of Iceberg's Java."""

    name = "rustberg"

    def __init__(self, store):
        port = free_port()
        self.uri = f"http://127.0.0.1:{port}"
        self.kept = tempfile.TemporaryDirectory(prefix="sluice-full-")
        config = Path(self.kept.name, "rustberg.toml")
        config.write_text(f"""[storage]
catalog_url = "file://{self.kept.name}/catalog"
warehouse_location = "s3://{store.bucket}/warehouse"
[storage.properties]
"s3.endpoint" = "{store.uri}"
"s3.region" = "{REGION}"
"s3.path-style-access" = "true"
"s3.access-key-id" = "env:AWS_ACCESS_KEY_ID"
"s3.secret-access-key" = "env:AWS_SECRET_ACCESS_KEY"
[rate_limit]
enabled = false
""")
        words = [CACHE / "rustberg/bin/rustberg", "--dev", "--insecure-http", "--no-auth", "--config", config]
        words += ["--host", "127.0.0.1", "--port", port]
        super().__init__(words, lambda: answers(f"{self.uri}/v1/config"), store.environment())

    def stop(self):
        super().stop()
        self.kept.cleanup()


CATALOGS = {catalog.name: catalog for catalog in (Reference, Nessie, Rustberg, Ministack)}
