"""A small disk that can be full, where this machine lets us mount one."""

import os
import shutil
import subprocess
from pathlib import Path

SIZE = 8 << 20


class SmallDisk:
    """A tmpfs; `folder` is none where mounting is refused."""

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(folder)]
        allowed = shutil.which("mount") and subprocess.run(command, capture_output=True).returncode == 0
        self.folder = Path(folder) if allowed else None

    def fill(self, leave):
        """Leaves so many bytes; never of another disk."""
        assert os.path.ismount(self.folder), f"expected a small disk in {self.folder}, found none"
        free = min(SIZE, shutil.disk_usage(self.folder).free)
        with open(self.folder / "filler", "wb") as stream:
            stream.write(b"\0" * max(0, free - leave))

    def free(self):
        (self.folder / "filler").unlink(missing_ok=True)

    def remove(self):
        if self.folder:
            subprocess.run(["umount", str(self.folder)], capture_output=True)
