"""All checks with foreign engines and catalogs, one after the other, and the record of what they found.

Prints a line for each; ends with 1 if one failed.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

import install
import servers

HERE = Path(__file__).resolve().parent
SECONDS_MAX = 1800
RECORD = "LAST_RUN.md"
CHECKS = {
    "laptop-trino": ("Trino reads a lake in a folder straight from its catalog file", ["laptop.py", "trino"]),
    "laptop-spark": ("Spark reads a lake in a folder straight from its catalog file", ["laptop.py", "spark"]),
    "s3-trino": ("Trino reads a lake on S3 through the reference REST catalog", ["bucket.py", "trino", "reference"]),
    "s3-spark": ("Spark reads a lake on S3 through the reference REST catalog", ["bucket.py", "spark", "reference"]),
    "tables-trino": ("We read what Trino made and changed", ["foreign.py", "trino"]),
    "tables-spark": ("We read what Spark made and changed", ["foreign.py", "spark"]),
    "catalog-reference": ("Iceberg's reference REST catalog takes our commits", ["catalogs.py", "reference"]),
    "catalog-nessie": ("Nessie takes our commits", ["catalogs.py", "nessie"]),
    "catalog-rustberg": ("rustberg takes our commits", ["catalogs.py", "rustberg"]),
    "catalog-ministack": ("ministack takes our commits", ["catalogs.py", "ministack"]),
}


def end(process):
    """Everything that a check started and that is still there."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def check(words):
    """One check in processes of its own: its verdict, or why there is none."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sluice-full-") as scratch, tempfile.TemporaryFile("w+") as told:
        process = subprocess.Popen(
            [sys.executable, HERE / words[0], *words[1:]],
            env={**os.environ, "TMPDIR": scratch},
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
            start_new_session=True,
            preexec_fn=servers.die_with_parent,
        )
        try:
            printed, _ = process.communicate(timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired:
            printed = ""
            told.write(f"expected an end within {SECONDS_MAX} seconds")
        finally:
            end(process)
        told.seek(0)
        said = told.read()[-3000:]
    try:
        verdict = json.loads(printed)
    except ValueError:
        verdict = {"checked": 0, "failures": [{"what": "it ended without a verdict", "found": said}]}
    return verdict | {"seconds": round(time.monotonic() - begun)}


def outcome(verdict):
    return "passed" if verdict["checked"] and not verdict["failures"] else "failed"


def of_command(*words):
    return subprocess.run(words, capture_output=True, text=True, cwd=HERE).stdout.strip()


def versions():
    """What was run, by name."""
    poms = "".join(pom.read_text() for pom in sorted((HERE / "pom").glob("*.xml")))

    def of_pom(artifact):
        return re.search(rf"<artifactId>{re.escape(artifact)}</artifactId>\s*<version>([^<]+)<", poms)[1]

    return {
        "Trino": of_pom("trino-server"),
        "Spark": version("pyspark"),
        "Iceberg in Spark": of_pom("iceberg-spark-runtime-4.1_2.13"),
        "Iceberg's reference REST catalog": of_pom("iceberg-core"),
        "Nessie": of_pom("nessie-quarkus"),
        "rustberg": install.RUSTBERG,
        "ministack": version("ministack"),
        "PyIceberg": version("pyiceberg"),
    }


def notes(verdict):
    """What a reader must know of a check: what it found wrong, what it left out, what was refused."""
    failures = [f"{failure['what']} {failure.get('found', '')}"[:300] for failure in verdict["failures"][:3]]
    limits = [f"without {what}: {why}" for what, why in verdict.get("limits", {}).items()]
    refused = sorted(set(verdict.get("refused", [])))
    return " ".join("; ".join(failures + limits + ([f"refused by name: {', '.join(refused)}"] if refused else [])).split())


def source():
    """The commit under test, and whether there was more than it."""
    changed = of_command("git", "status", "--porcelain", "--untracked-files=no", "--", ":/")
    changed = [line for line in changed.splitlines() if not line.endswith(RECORD)]
    return of_command("git", "rev-parse", "--short", "HEAD") + (" with changes" if changed else "")


def record(path, commit, verdicts, gate):
    """A file for people, without a word of the machine."""
    lines = [
        "# The last full run",
        "",
        "Written by `cargo xtask check --full`.",
        "",
        f"- {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, commit {commit}",
        f"- {f'the gate passed in {gate} seconds before' if gate else 'without the gate'}",
        *(f"- {name} {found}" for name, found in versions().items()),
        "",
        "| check | outcome | compared | seconds | notes |",
        "|---|---|---|---|---|",
    ]
    for name, verdict in verdicts.items():
        cells = [CHECKS[name][0], outcome(verdict), verdict["checked"], verdict["seconds"], notes(verdict)]
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    path.write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, help="file to write; nothing is written without it")
    parser.add_argument("--gate", type=int, help="seconds that the gate took")
    parser.add_argument("names", nargs="*", help=f"which of {', '.join(CHECKS)}; all where none is named")
    arguments = parser.parse_args()
    commit, verdicts = source(), {}
    for name in arguments.names or CHECKS:
        verdicts[name] = verdict = check(CHECKS[name][1])
        print(f"{outcome(verdict):7}{verdict['seconds']:5} s  {CHECKS[name][0]}", flush=True)
        for failure in verdict["failures"][:10]:
            print(f"    {failure}", flush=True)
    if arguments.record:
        record(arguments.record, commit, verdicts, arguments.gate)
    return any(outcome(verdict) == "failed" for verdict in verdicts.values())


if __name__ == "__main__":
    sys.exit(main())
