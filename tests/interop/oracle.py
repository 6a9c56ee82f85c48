"""What the tables must hold, computed from payload bytes with numpy and Python's json alone."""

import argparse
import gzip
import json
import re
import sys
from collections import Counter, defaultdict
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import numpy as np
from blake3 import blake3

import envi

KERNEL_CATS = {"kernel", "gpu_memcpy", "gpu_memset", "Kernel", "Memcpy", "Memset"}
COMM_NAME = re.compile(r"^(nccl|rccl)", re.IGNORECASE)


def payload_id(parts):
    """BLAKE3 over the sorted (role, size, BLAKE3) of [(role, path)]."""
    triples = []
    for role, path in parts:
        body = Path(path).read_bytes()
        triples.append((role.encode(), len(body), blake3(body).digest()))
    whole = blake3(b"sluice payload 1\n")
    for role, size, digest in sorted(triples):
        whole.update(len(role).to_bytes(8, "little"))
        whole.update(role)
        whole.update(size.to_bytes(8, "little"))
        whole.update(digest)
    return whole.hexdigest()


# --- cubes


def pixels(header_path, image_path, dark=None, white=None):
    """(values[line * sample, band] as float64 with NaN for null, nulls[line * sample, band]).

    With dark and white, each a (header, image): relative reflectance at equal exposure, references averaged along
    track per (sample, band). Null where the raw value is the ignore value, or the white is not above the dark.
    """
    fields, raw = envi.cube(header_path, image_path)
    values = raw.astype(np.float64)
    null = ~np.isfinite(values)
    if "data ignore value" in fields:
        null |= values == float(fields["data ignore value"])
    for key, apply in (("data gain values", np.multiply), ("data offset values", np.add)):
        listed = envi.numbers(fields, key)
        if listed is not None:
            values = apply(values, np.array(listed))
    if "reflectance scale factor" in fields:
        values = values / float(fields["reflectance scale factor"])
    if white is not None:
        mean_dark = envi.cube(*dark)[1].astype(np.float64).mean(axis=0)
        mean_white = envi.cube(*white)[1].astype(np.float64).mean(axis=0)
        span = mean_white - mean_dark
        null |= (span <= 0)[None, :, :]
        with np.errstate(divide="ignore", invalid="ignore"):
            values = (values - mean_dark) / span
    values = np.where(null, np.nan, values)
    bands = raw.shape[2]
    return values.reshape(-1, bands), null.reshape(-1, bands)


# --- traces


def load_trace(path):
    """The document of a trace with exact numbers."""
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rb") as stream:
        return json.loads(stream.read(), parse_float=Decimal)


def events(document):
    """The events of either form."""
    return document if isinstance(document, list) else document["traceEvents"]


def nanoseconds(microseconds):
    """Exact; text is a number too."""
    return int((Decimal(microseconds) * 1000).to_integral_value(ROUND_HALF_EVEN))


def is_comm(event):
    return "Collective name" in event.get("args", {}) or bool(COMM_NAME.match(event.get("name", "")))


def trace(path):
    """Counts and sums of one trace."""
    found = events(load_trace(path))
    slices = defaultdict(lambda: [0, 0])
    kernels = defaultdict(lambda: [0, 0])
    comm = [0, 0]
    for event in found:
        if event.get("ph") != "X":
            continue
        cat = event.get("cat")
        duration = nanoseconds(event["dur"]) if "dur" in event else 0
        for totals in [slices[cat]] + ([kernels[cat]] if cat in KERNEL_CATS else []):
            totals[0] += 1
            totals[1] += duration
        if cat in ("kernel", "Kernel") and is_comm(event):
            comm[0] += 1
            comm[1] += duration
    return {
        "events": len(found),
        "by_ph": Counter(str(event.get("ph")) for event in found),
        "by_cat": Counter(str(event.get("cat")) for event in found),
        "slices": dict(slices),
        "kernels": dict(kernels),
        "comm": comm,
        "memory": sum(1 for event in found if event.get("name") == "[memory]"),
    }


def straggler(paths):
    """Matches collectives over the ranks of a capture and says who came last.

    Matched by process group and ordinal where the trace names groups, else by (stream, kernel name) and ordinal.
    """
    by_collective = defaultdict(dict)
    nccl = Counter()
    for path in paths:
        document = load_trace(path)
        rank = document["distributedInfo"]["rank"]
        ordinals = Counter()
        found = [e for e in events(document) if e.get("cat") == "kernel" and e.get("ph") == "X" and is_comm(e)]
        for event in sorted(found, key=lambda event: Decimal(event["ts"])):
            args = event.get("args", {})
            key = (args.get("Process Group Name"), args.get("Collective name", event["name"]), args.get("stream"))
            ordinals[key] += 1
            start, duration = nanoseconds(event["ts"]), nanoseconds(event["dur"])
            by_collective[key + (ordinals[key],)][rank] = (start, duration)
            nccl[rank] += duration
    collectives = []
    for ranks in by_collective.values():
        starts = sorted(((start, rank) for rank, (start, _) in ranks.items()))
        shortest = min(duration for _, duration in ranks.values())
        collectives.append(
            {
                "first_start_ns": starts[0][0],
                "last_rank": starts[-1][1],
                "delay_ns": starts[-1][0] - starts[-2][0],
                "wait_ns": [ranks[rank][1] - shortest for rank in sorted(ranks)],
                "ranks": sorted(ranks),
            }
        )
    collectives.sort(key=lambda collective: collective["first_start_ns"])
    last = Counter(collective["last_rank"] for collective in collectives)
    return {
        "collectives": collectives,
        "straggler": max(last, key=lambda rank: (last[rank], -rank)),
        "times_last": max(last.values()),
        "most_nccl_rank": max(nccl, key=lambda rank: (nccl[rank], -rank)),
        "nccl_ns": {str(rank): nccl[rank] for rank in sorted(nccl)},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    ids = verbs.add_parser("ids", help="payload ids of ROLE=PATH[,ROLE=PATH...] each")
    ids.add_argument("payloads", nargs="+")
    for verb in ("trace", "straggler"):
        verbs.add_parser(verb).add_argument("paths", nargs="+")
    arguments = parser.parse_args()
    if arguments.verb == "ids":
        split = [[part.split("=", 1) for part in payload.split(",")] for payload in arguments.payloads]
        answer = [payload_id(parts) for parts in split]
    elif arguments.verb == "trace":
        answer = [trace(path) for path in arguments.paths]
    else:
        answer = straggler(arguments.paths)
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
