"""ENVI headers and images, read independently of Sluice: text and numpy, nothing else."""

import gzip
from pathlib import Path

import numpy as np

DTYPES = {1: "u1", 2: "i2", 3: "i4", 4: "f4", 5: "f8", 12: "u2", 13: "u4", 14: "i8", 15: "u8"}


def header(path):
    """The fields of a header, keys in lower case, values as text with braces taken off."""
    text = Path(path).read_text(errors="replace")
    lines = iter(text.splitlines())
    assert next(lines).strip() == "ENVI", path
    fields = {}
    for line in lines:
        if "=" not in line or line.lstrip().startswith(";"):
            continue
        key, value = line.split("=", 1)
        value = value.strip()
        if value.startswith("{"):
            while "}" not in value:
                value += "\n" + next(lines)
            value = value[1 : value.index("}")]
        fields[" ".join(key.lower().split())] = value.strip()
    return fields


def numbers(fields, key):
    """A list of numbers, or none."""
    return [float(item) for item in fields[key].split(",")] if key in fields else None


def cube(header_path, image_path):
    """(header, values[line, sample, band]) in the sensor's own type, native byte order."""
    fields = header(header_path)
    lines, samples, bands = (int(fields[key]) for key in ("lines", "samples", "bands"))
    order = ">" if fields.get("byte order", "0") == "1" else "<"
    dtype = np.dtype(order + DTYPES[int(fields["data type"])])
    offset = int(fields.get("header offset", 0))
    count = lines * samples * bands
    if fields.get("file compression", "0") == "1":
        with gzip.open(image_path) as stream:
            body = np.frombuffer(stream.read(), dtype, count, offset)
    else:
        body = np.memmap(image_path, dtype, "r", offset, (count,))
    interleave = fields["interleave"].lower()
    if interleave == "bsq":
        values = body.reshape(bands, lines, samples).transpose(1, 2, 0)
    elif interleave == "bil":
        values = body.reshape(lines, bands, samples).transpose(0, 2, 1)
    else:
        values = body.reshape(lines, samples, bands)
    return fields, values.astype(dtype.newbyteorder("="), copy=False)
