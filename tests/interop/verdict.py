"""What every check prints: how much it looked at, and what was wrong."""

import json
import sys


class Verdict:
    """Collects failures; a check that looked at nothing is no check."""

    def __init__(self):
        self.checked = 0
        self.failures = []
        self.more = {}

    def equal(self, what, found, expected):
        self.checked += 1
        if found != expected:
            self.failures.append({"what": what, "expected": repr(expected)[:400], "found": repr(found)[:400]})

    def true(self, what, holds, found=""):
        self.checked += 1
        if not holds:
            self.failures.append({"what": what, "found": str(found)[:400]})

    def print(self):
        json.dump({"checked": self.checked, "failures": self.failures, **self.more}, sys.stdout)
