"""The S3 server of the benchmarks, on a free port of loopback, ended with its owner."""

import contextlib
import os
import pathlib
import socket
import subprocess
import sys
import time


class Server:
    def __init__(self, port):
        self.port, self.uri = port, f"http://127.0.0.1:{port}"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def start(folder):
    folder.mkdir(parents=True)
    server = Server(free_port())
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"], "BIND_HOST": "127.0.0.1",
                   "MINISTACK_HOST": "127.0.0.1", "GATEWAY_PORT": str(server.port)}
    program = pathlib.Path(sys.executable).with_name("ministack")
    process = subprocess.Popen([program], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", server.port)) == 0:
                    break
            time.sleep(0.1)
        yield server
    finally:
        process.kill()
        process.wait()
