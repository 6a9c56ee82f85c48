"""The crash points of the program, from its own list, and which of them the next process is to die at."""

import re
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "ingest/durable/src/crash.rs"
EDGE = ("spool-seal", "landing-put", "announce", "spool-release")
QUARANTINE = ("quarantine",)
# Behind a REST catalog the metadata of tables is the server's; what is left is the making of a lake.
MAKING = ("metadata-write",)
OPERATIONS = ("file-delete", "end", "open", "revert")


def steps():
    """The names of all durable steps."""
    text = SOURCE.read_text()
    variants = re.search(r"pub enum Step \{(.*?)\n\}", text, re.DOTALL)[1]
    variants = re.findall(r"^    (\w+),$", variants, re.MULTILINE)
    names = dict(re.findall(r'Self::(\w+) => "([a-z-]+)"', text))
    assert variants and set(variants) == set(names), f"crash points are listed otherwise than expected in {SOURCE}"
    return [names[variant] for variant in variants]


def both_sides(names):
    return [f"{name}.{side}" for name in names for side in ("before", "after")]


class CrashPoints:
    """Hands out points of a kind, the least hit first."""

    def __init__(self, random, hit):
        self.random = random
        self.hit = hit
        known = steps()
        special = EDGE + QUARANTINE + MAKING + OPERATIONS
        assert set(special) <= set(known), "a durable step has another name"
        ingest = [step for step in known if step not in special]
        self.kinds = {"edge": EDGE, "quarantine": QUARANTINE, "making": MAKING, "ingest": ingest}
        self.kinds |= {step: [step] for step in OPERATIONS}
        self.handed = {}

    @staticmethod
    def all():
        return both_sides(steps())

    def next(self, kind):
        rank = lambda point: (self.hit.get(point, 0), self.handed.get(point, 0), self.random.random())
        point = min(both_sides(self.kinds[kind]), key=rank)
        self.handed[point] = self.handed.get(point, 0) + 1
        return point
