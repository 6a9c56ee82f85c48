"""Each promise of the program is broken in turn, and the run must notice."""

import argparse
import re
import sys
from pathlib import Path

import run
import synced

SOURCE = Path(__file__).resolve().parents[2] / "ingest/durable/src/sabotage.rs"
# No process that dies loses what the kernel has: a power cut does.
BY_POWER_CUT = ("forget-fsync",)


def names():
    """The program's own list."""
    found = re.findall(r'Self::\w+ => "([a-z-]+)"', SOURCE.read_text())
    assert set(BY_POWER_CUT) <= set(found), f"sabotages are listed otherwise than expected in {SOURCE}"
    return found


def notice(arguments, name):
    """What was noticed."""
    if name in BY_POWER_CUT:
        return synced.check(arguments.program, name)
    return run.run(argparse.Namespace(**{**vars(arguments), "sabotage": name}), quiet=True)


def main():
    arguments = run.parser().parse_args()
    unnoticed = []
    for name in names():
        found = notice(arguments, name)
        told = "not tested" if found is None else f"noticed: {found[0][:160]}" if found else "NOT NOTICED"
        print(f"{name:24}{told}", flush=True)
        if found == []:
            unnoticed.append(name)
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
