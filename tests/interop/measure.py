"""Runs a contender in a process of its own and reads its time and peak memory from the kernel."""

import os
import statistics
import subprocess
import sys
import time


def run(command, cores):
    """(wall seconds, peak resident MiB of its largest process). `cores`: how many it may use, none for all."""

    def pin():
        if cores:
            os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:cores]))

    began = time.perf_counter()
    process = subprocess.Popen(command, preexec_fn=pin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\nended with {code}\n{errors.decode(errors='replace')}")
    return seconds, usage.ru_maxrss / 1024


class Contender:
    """A command that makes an output, prepared anew before each run."""

    def __init__(self, name, command, prepare=None, runs=None, scale=1.0):
        self.name, self.command, self.prepare, self.runs, self.scale = name, command, prepare, runs, scale
        self.results = {}


def paired(contenders, runs, payload_bytes, core_counts):
    """All contenders one after the other, again and again, so that a busy minute hurts them all."""
    for cores in core_counts:
        for number in range(runs):
            for contender in contenders:
                if number >= (contender.runs or runs):
                    continue
                if contender.prepare:
                    contender.prepare()
                threads = cores or os.cpu_count()
                seconds, peak = run(contender.command(threads), cores)
                contender.results.setdefault(cores, []).append((seconds * contender.scale, peak))
                label = f"{cores} core" if cores else "all cores"
                print(f"    {contender.name}, {label}, run {number + 1}: {seconds:.1f} s, {peak:.0f} MiB", file=sys.stderr)
    table(contenders, payload_bytes, core_counts)


def table(contenders, payload_bytes, core_counts):
    """Medians, as Markdown."""
    heads = [f"{cores} core" if cores else f"all {os.cpu_count()} cores" for cores in core_counts]
    print(f"\n| contender | {' | '.join(f'{head}: s, MB/s, times the first' for head in heads)} | peak RSS MiB |")
    print(f"|---|{'---|' * (len(heads) + 1)}")
    for contender in contenders:
        cells, peak = [], 0
        for cores in core_counts:
            results = contender.results.get(cores, [])
            if not results:
                cells.append("-")
                continue
            seconds = statistics.median(result[0] for result in results)
            first = statistics.median(result[0] for result in contenders[0].results[cores])
            cells.append(f"{seconds:.2f}, {payload_bytes / 1e6 / seconds:.0f}, {seconds / first:.2f}")
            peak = max([peak] + [result[1] for result in results])
        print(f"| {contender.name} | {' | '.join(cells)} | {peak:.0f} |")
    print(flush=True)


def warm(path):
    """Into the page cache: what is measured is not the disk."""
    with open(path, "rb") as file:
        while file.read(1 << 24):
            pass
