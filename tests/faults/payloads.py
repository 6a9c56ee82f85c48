"""Tiny payloads, made here and known to nobody else: the oracle issues them and says what their rows must be."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))

import oracle  # noqa: E402

CUBE, TRACE = "cube", "trace"
KERNELS = ("gemm", "ncclDevKernel_AllReduce_Sum_f16_RING_LL", "softmax")


@dataclass
class Payload:
    kind: str
    folder: Path
    files: list
    id: str = ""
    # What a lake must have of it.
    cells: dict = field(default_factory=dict)
    events: int = 0
    slices: tuple = (0, 0)
    config_digests: int = 0
    kept_out: bool = False


def cube(folder, name, random):
    """An ENVI cube of a few pixels."""
    lines, samples, bands = random.randint(2, 3), random.randint(2, 4), random.randint(3, 5)
    values = np.array([random.randrange(60000) for _ in range(lines * samples * bands)], "<u2")
    values = values.reshape(lines, samples, bands)
    interleave = random.choice(["bsq", "bil", "bip"])
    order = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}[interleave]
    header, image = folder / f"{name}.hdr", folder / f"{name}.img"
    folder.mkdir(parents=True, exist_ok=True)
    image.write_bytes(np.ascontiguousarray(values.transpose(order)).tobytes())
    wavelengths = " , ".join(str(400 + 150 * band) for band in range(bands))
    header.write_text(
        f"ENVI\nsamples = {samples}\nlines = {lines}\nbands = {bands}\nheader offset = 0\n"
        f"file type = ENVI Standard\ndata type = 12\ninterleave = {interleave}\nsensor type = Faults\n"
        f"byte order = 0\nwavelength units = nm\nwavelength = {{ {wavelengths} }}\n"
    )
    expected, _ = oracle.pixels(header, image)
    cells = {divmod(at, samples): tuple(row.tolist()) for at, row in enumerate(expected)}
    identity = oracle.payload_id([("header", header), ("image", image)])
    return Payload(CUBE, folder, [header, image], identity, cells=cells)


def trace(folder, name, random):
    """A trace of a few events."""
    events, clock = [], random.randrange(10**6)
    for number in range(random.randint(3, 9)):
        is_kernel = random.random() < 0.5
        clock += random.randint(1, 50)
        event = {"ph": "X", "pid": 1, "tid": 7 if is_kernel else 1, "ts": clock, "dur": random.randint(1, 40)}
        event["cat"] = "kernel" if is_kernel else "cpu_op"
        event["name"] = random.choice(KERNELS) if is_kernel else f"aten::op{number}"
        event["args"] = {"stream": 7, "correlation": number} if is_kernel else {"External id": number}
        events.append(event)
    info = {"rank": random.randrange(4), "world_size": 4, "backend": "nccl"}
    document = {"schemaVersion": 1, "distributedInfo": info, "traceEvents": events}
    path = folder / f"{name}.json"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    facts = oracle.trace(path)
    totals = facts["slices"].values()
    slices = (sum(count for count, _ in totals), sum(duration for _, duration in totals))
    identity = oracle.payload_id([("trace", path)])
    return Payload(TRACE, folder, [path], identity, events=facts["events"], slices=slices)


def broken(folder, name, random):
    """Something that must end in quarantine."""
    path = folder / f"{name}.json"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text('{"traceEvents": [' + str(random.randrange(10**9)))
    return path


