"""The servers of a run: one process with object store, queues and REST catalog, asked here past all faults."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ACCOUNT = "000000000000"
ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}:"
ROOT = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=x"


class Servers:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="sluice-servers-")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        settings = {"BIND_HOST": "127.0.0.1", "MINISTACK_HOST": "127.0.0.1", "GATEWAY_PORT": str(self.port)}
        environment = {"HOME": self.folder, "PATH": os.environ.get("PATH", "/usr/bin:/bin"), **settings}
        program = Path(sys.executable).with_name("ministack")
        self.process = subprocess.Popen(
            [program], cwd=self.folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise TimeoutError(f"the servers do not answer on port {self.port}")

    @property
    def uri(self):
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, method, path, body=b"", service="s3"):
        headers = {"Authorization": ROOT.format(service), "Content-Type": "application/x-www-form-urlencoded"}
        request = urllib.request.Request(self.uri + path, body or None, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def make_bucket(self, bucket):
        self.ask("PUT", f"/{bucket}")

    def keys(self, bucket, prefix):
        found, token = [], ""
        while True:
            text = self.ask("GET", f"/{bucket}?list-type=2&prefix={urllib.parse.quote(prefix)}{token}").decode()
            found += re.findall(r"<Key>([^<]*)</Key>", text)
            more = re.search(r"<NextContinuationToken>([^<]*)<", text)
            if not more:
                return found
            token = "&continuation-token=" + urllib.parse.quote(more[1])

    def notify(self, bucket, queue):
        rule = (
            f"<NotificationConfiguration><QueueConfiguration><Id>sluice</Id><Queue>{ARN}{queue}</Queue>"
            "<Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>"
        )
        self.ask("PUT", f"/{bucket}?notification", rule.encode())

    def queue(self, **fields):
        form = urllib.parse.urlencode({"Version": "2012-11-05", **fields})
        return self.ask("POST", "/", form.encode(), "sqs").decode()

    def queue_url(self, name, uri=None):
        return f"{uri or self.uri}/{ACCOUNT}/{name}"
