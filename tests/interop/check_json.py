"""Whether two JSON files are equal but for white space: order and doubles of keys, the text of numbers, all strings."""

import gzip
import json
import re
import sys

from verdict import Verdict

TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+)', re.DOTALL)


def tokens(path):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rb") as stream:
        text = stream.read().decode("utf-8-sig").rstrip()
    at = 0
    while at < len(text):
        match = TOKEN.match(text, at)
        assert match, f"{path}: no JSON at {at}: {text[at : at + 40]!r}"
        token = match.group(1)
        # A string may be escaped in several ways; a number is its text.
        yield ("string", json.loads(token, strict=False)) if token.startswith('"') else token
        at = match.end()


def main():
    verdict = Verdict()
    one, other = (list(tokens(path)) for path in sys.argv[1:3])
    verdict.equal("tokens", len(other), len(one))
    different = next((index for index, pair in enumerate(zip(one, other)) if pair[0] != pair[1]), None)
    if different is not None:
        verdict.equal(f"token {different}", other[different : different + 5], one[different : different + 5])
    verdict.checked += len(one)
    verdict.print()


if __name__ == "__main__":
    main()
