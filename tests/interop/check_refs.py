"""Opens a cube in xarray through kerchunk references and compares it with the image, counting the bytes it reads."""

import argparse
import json

import numpy as np
import xarray as xr
import zarr
from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.reference import ReferenceFileSystem

import envi
from verdict import Verdict


class Counting(LocalFileSystem):
    """Local files, with every byte counted that is read from them."""

    read = 0
    cachable = False

    def cat_file(self, path, start=None, end=None, **kwargs):
        body = super().cat_file(path, start=start, end=end, **kwargs)
        Counting.read += len(body)
        return body


def open_counting(refs):
    files = AsyncFileSystemWrapper(Counting(), asynchronous=True)
    # A path without a protocol is a local one.
    reference = ReferenceFileSystem(fo=refs, fs={"file": files, None: files}, asynchronous=True)
    store = zarr.storage.FsspecStore(reference, read_only=True, path="")
    return xr.open_zarr(store, consolidated=False, zarr_format=3, mask_and_scale=False)


def open_as_documented(refs):
    options = {"consolidated": False, "zarr_format": 3, "storage_options": {"fo": refs}}
    return xr.open_dataset("reference://", engine="zarr", backend_kwargs=options, mask_and_scale=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("refs", "header", "image"):
        parser.add_argument(f"--{name}", required=True)
    arguments = parser.parse_args()
    verdict = Verdict()
    with open(arguments.refs) as file:
        refs = json.load(file)
    keys = refs["refs"] if "refs" in refs else refs
    ranges = [value for value in keys.values() if isinstance(value, list)]
    verdict.true("every chunk is a byte range", ranges and all(len(value) == 3 for value in ranges), ranges[:2])
    _, expected = envi.cube(arguments.header, arguments.image)

    one = open_counting(arguments.refs)
    names = [name for name, variable in one.data_vars.items() if set(variable.dims) >= {"line", "sample", "band"}]
    verdict.equal("arrays with line, sample and band", len(names), 1)
    line, sample = expected.shape[0] // 2, expected.shape[1] // 3
    Counting.read = 0
    pixel = one[names[0]].isel(line=line, sample=sample).values
    of_one = Counting.read
    verdict.true("one pixel's spectrum", np.array_equal(pixel, expected[line, sample]), pixel[:5])

    Counting.read = 0
    for way, opened in (("counted", open_counting), ("documented", open_as_documented)):
        everything = opened(arguments.refs)[names[0]].transpose("line", "sample", "band")
        verdict.equal(f"{way}: type", everything.dtype.newbyteorder("="), expected.dtype)
        same = np.array_equal(everything.values, expected, equal_nan=expected.dtype.kind == "f")
        verdict.true(f"{way}: all values", same)
    verdict.more = {"bytes_of_one_pixel": of_one, "bytes_of_all": Counting.read}
    verdict.print()


if __name__ == "__main__":
    main()
