"""A lake of the real program, with payloads that are made for it."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

PROGRAM = os.environ["SLUICE_BIN"]
TESTKIT = Path(PROGRAM).with_name("sluice-testkit")
ROUTES = """
[[route]]
match = "*.hdr"
plugin = "envi"
dataset = "c"

[[route]]
match = "*.json"
plugin = "chrome-trace"
dataset = "t"
"""


class Failed(RuntimeError):
    """The program ended with another code than 0."""


class Lake:
    """In a temporary folder that goes away with it; a context manager."""

    def __init__(self, *arguments, environment=None):
        self.folder = tempfile.TemporaryDirectory(prefix="sluice-full-")
        self.scratch = Path(self.folder.name)
        self.path = self.scratch / "lake"
        self.environment = {**os.environ, **(environment or {})}
        self.execute("init", self.path, *arguments)
        (self.path / "sluice.toml").write_text(ROUTES)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def execute(self, *words):
        command = [PROGRAM, "--lake", self.path, *words]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=self.environment)
        if done.returncode:
            raise Failed(f"`sluice {' '.join(map(str, words))}` ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def json(self, *words):
        """What a verb answers."""
        return json.loads(self.execute(*words, "--format", "json"))

    def sql(self, query, *words):
        """Rows; an absent key is null."""
        return self.json("sql", query, *words)

    def count(self, table, *words):
        return self.sql(f"SELECT count(*) AS n FROM {table}", *words)[0]["n"]

    def tables(self):
        return [table["table"] for table in self.json("tables")]

    def history(self, table):
        """Snapshot ids, the newest first."""
        return [snapshot["snapshot_id"] for snapshot in self.json("history", table)]

    def spawn(self, *words):
        """A verb in a process of its own."""
        command = [PROGRAM, "--lake", self.path, *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(list(map(str, command)), text=True, env=self.environment, **pipes)

    def cube(self, name, seed, bands=5):
        """A cube of 4 x 6 pixels in a folder of its own."""
        folder = self.scratch / name
        size = ["--lines", "4", "--samples", "6", "--bands", str(bands), "--seed", str(seed)]
        subprocess.run([TESTKIT, "cube", "--out", folder, "--name", name, *size], check=True, stdout=subprocess.DEVNULL)
        return folder

    def capture(self, name, seed):
        """Traces of three ranks in a folder of their own."""
        folder = self.scratch / name
        size = ["--ranks", "3", "--straggler", "1", "--loudest", "2", "--steps", "1", "--seed", str(seed)]
        subprocess.run([TESTKIT, "capture", "--out", folder, *size], check=True, stdout=subprocess.DEVNULL)
        return folder

    def payload(self, folder):
        """The id of a landed payload, by the name of its folder."""
        query = f"SELECT min(payload_id) AS id FROM bronze.payloads WHERE facts['folder'] = '{folder.name}'"
        return self.sql(query)[0]["id"]


PIXELS = "silver.c_pixels"
PIXELS_OF_CUBE = 4 * 6


def everything(lake, without=()):
    """All that happens to a lake in its life; how many cubes stand in it then."""
    first = lake.cube("first", 1)
    lake.json("land", first)
    lake.json("land", lake.cube("second", 2), lake.capture("traces", 3))
    if "tags" not in without:
        lake.json("tag", "create", PIXELS, "narrow")
    lake.json("land", lake.cube("wider", 4, bands=9))
    cubes = 3
    if "undo" not in without:
        lake.json("undo", "--payload", lake.payload(first), "--yes")
        cubes -= 1
    if "branches" not in without:
        lake.json("land", "--branch", "may", lake.cube("delivery", 5, bands=7))
        lake.json("land", lake.cube("meanwhile", 6))
        lake.json("branch", "publish", "may")
        cubes += 2
    if "compaction" not in without:
        lake.json("compact", PIXELS, "bronze.c_chunks", "silver.t_kernel")
    lake.json("land", lake.cube("regretted", 7))
    cubes += 1
    if "rollback" not in without:
        lake.json("rollback", "bronze.payloads", "--to", lake.history("bronze.payloads")[1], "--yes")
        cubes -= 1
    lake.json("land", lake.cube("last", 8))
    return cubes + 1
