"""One lake in a bucket, with everything that acts on it."""

import os
import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import payloads
from acknowledged import Acknowledged
from crash_points import CrashPoints
from disk import SmallDisk
from faults import Dice
from processes import Processes
from proxy import Proxy
from servers import ACCOUNT, ARN, Servers
from wire import Wire

BUCKET, PREFIX = "lakes", "run/"
LAKE = f"s3://{BUCKET}/run"
NODES = ("north", "south")


class World:
    def __init__(self, program, seed, hit, sabotage=None):
        self.random = random.Random(f"world {seed}")
        self.folder = Path(tempfile.mkdtemp(prefix="sluice-faults-"))
        self.servers = Servers()
        self.dice = Dice(random.Random(f"faults {seed}"))
        self.acknowledged = Acknowledged(BUCKET, PREFIX)
        self.proxy = Proxy(self.servers.port, self.dice, self.acknowledged)
        logs = self.folder / "logs"
        logs.mkdir()
        self.processes = Processes(program, LAKE, self._environment(), logs, hit, sabotage)
        self.points = CrashPoints(self.random, hit)
        self.servers.make_bucket(BUCKET)
        self.wire = self._queues()
        self.disk = SmallDisk(self.folder / "disk")
        self.issued = []
        self.broken = []
        # Folders that an edge host has not announced yet, with the node.
        self.waiting = []
        self.config = 0
        self.full_disks = self.repeated = 0
        self.acted = Counter()
        self.configs = set()
        # A connection of DuckDB, which takes long to make.
        self.duck = None
        self._make_lake()

    def _make_lake(self):
        """Its maker dies and makes it again."""
        catalog = ["--catalog", "rest", "--uri", f"{self.proxy.uri}/iceberg", "--warehouse", ACCOUNT]
        command = ["init", LAKE, *catalog]
        self.processes.run(command, self.work("operator"), self.points.next("making"))
        self.ran(*command)

    def _environment(self):
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.folder),
            "AWS_ENDPOINT_URL": self.proxy.uri,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
            "SLUICE_LOG_FORMAT": "json",
        }

    def _queues(self):
        for name in ("told", "arrivals-dead", "arrivals"):
            policy = f'{{"deadLetterTargetArn":"{ARN}arrivals-dead","maxReceiveCount":"20"}}'
            fields = {"Attribute.1.Name": "RedrivePolicy", "Attribute.1.Value": policy} if name == "arrivals" else {}
            self.servers.queue(Action="CreateQueue", QueueName=name, **fields)
        self.servers.notify(BUCKET, "told")
        return Wire(self.servers, random.Random(self.random.random()), "told", "arrivals")

    @property
    def queue(self):
        return self.servers.queue_url("arrivals", self.proxy.uri)

    def work(self, name):
        folder = self.folder / "work" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def ran(self, *arguments, codes=(0,), point=None):
        """An ordinary command that must do what it is asked to."""
        process = self.processes.run(arguments, self.work("operator"), point)
        if process.returncode not in codes:
            raise AssertionError(f"failed: {self.processes.told(process)}")
        return self.processes.output(process)

    def routes(self, node):
        """A node's routes with the plugin configuration of now."""
        window, traces = 4096 + self.config, str(self.config)
        path = self.folder / f"routes-{node}-{self.config}.toml"
        path.write_text(
            f'site = "field"\nnode = "{node}"\n'
            f'[[route]]\nmatch = "*.hdr"\nplugin = "envi"\ndataset = "c"\nconfig = {{ window_bytes = {window} }}\n'
            f'[[route]]\nmatch = "*.json"\nplugin = "chrome-trace"\ndataset = "t"\nfacts = {{ config = "{traces}" }}\n'
        )
        return path

    def issue(self, count, broken):
        """New payloads for the nodes, in folders that wait."""
        folders = {}
        for _ in range(count):
            node = self.random.choice(NODES)
            number = len(self.issued)
            folder = self.folder / "in" / f"{number:05}"
            make = payloads.cube if self.random.random() < 0.6 else payloads.trace
            self.issued.append(make(folder, f"p{number}", self.random))
            folders.setdefault(node, []).append(folder)
        if broken:
            folder = self.folder / "in" / f"broken-{len(self.broken)}"
            self.broken.append(payloads.broken(folder, f"broken{len(self.broken)}", self.random))
            folders.setdefault(NODES[0], []).append(folder)
        self.waiting += list(folders.items())

    def close(self, keep=False):
        for process in self.processes.running:
            process.kill()
            process.wait()
        self.proxy.stop()
        self.servers.stop()
        self.disk.remove()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
