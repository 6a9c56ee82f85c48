"""Every file that gets its name by a link or a rename was on disk before, and its folder after.

A power cut would show it, which no `kill -9` does; so strace watches the calls of one landing.
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from random import Random

import payloads

CALLS = "fsync,fdatasync,rename,renameat,renameat2,link,linkat"
SYNC = re.compile(r"f(?:data)?sync\(\d+<([^>]*)>")
NAMED = re.compile(r'(?:rename|link)(?:at2?)?\(.*?"([^"]*)".*?"([^"]*)".*= 0')
# What a power cut may take: it is made again, or is on its way out.
MAY_GO = re.compile(r"/\.cache/|/lock$|\.partial$|\.released\.")


def trace(program, folder, sabotage):
    """The calls of one landing, in their order."""
    payloads.trace(folder / "in", "t", Random(1))
    lake, out = folder / "lake", folder / "calls"
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder)}
    if sabotage:
        environment["SLUICE_SABOTAGE"] = sabotage
    quiet = {"env": environment, "check": True, "capture_output": True}
    subprocess.run([program, "init", lake], **quiet)
    watched = ["strace", "-f", "-y", "-s", "4096", "-e", f"trace={CALLS}", "-o", out]
    subprocess.run([*watched, program, "--lake", lake, "land", folder / "in"], **quiet)
    return out.read_text().splitlines()


def unsynced(calls):
    """(files named, those that were not synced before or whose folder was not synced after)."""
    synced, waiting, named, faults = set(), {}, 0, []
    for line in calls:
        if found := SYNC.search(line):
            synced.add(found[1])
            waiting.pop(found[1], None)
        elif found := NAMED.search(line):
            source, target = found[1], found[2]
            if MAY_GO.search(target):
                continue
            named += 1
            if source not in synced:
                faults.append(f"named before it was synced: {target}")
            waiting[str(Path(target).parent)] = target
    faults += [f"its folder was never synced after: {target}" for target in waiting.values()]
    return named, faults


def check(program, sabotage=None):
    """Faults; none where strace is not there, which is said."""
    if not shutil.which("strace"):
        print("strace is not there: order of fsync and rename not watched")
        return None
    folder = Path(tempfile.mkdtemp(prefix="sluice-synced-"))
    try:
        named, faults = unsynced(trace(program, folder, sabotage))
        return faults if named else ["no file was named at all"]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    import sys

    print("\n".join(check(sys.argv[1], *sys.argv[2:]) or ["nothing found"]))
