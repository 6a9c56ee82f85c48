"""Runs seeded cycles of faults over lakes of their own, and checks P1 to P5 with tools that are not Sluice."""

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import Manager
from pathlib import Path

import cycle
import operations
import synced
from crash_points import CrashPoints
from faults import ALL, unmet
from promises import Promises
from world import World

# A lake's ledger is read whole by its checks: a fresh one now and then keeps them quick.
CYCLES_OF_A_LAKE = 48
# What waits for its time leaves the machine to others, so several lakes are at work at once.
LANES = 3
OPERATIONS_EVERY = 4
PROMISES_EVERY = 8
# A broken promise shows sooner when it is looked for more often.
PROMISES_EVERY_WITH_SABOTAGE = 2


class Summary:
    """What a run has seen."""

    def __init__(self):
        self.cycles = self.payloads = self.kills = self.compared = self.processes = 0
        self.full_disks = self.requests = self.acknowledged = self.configs = self.repeated = self.broken = 0
        self.disk_refused = False
        self.met, self.messages, self.acted = Counter(), Counter(), Counter()

    def add(self, world):
        self.kills += world.processes.kills
        self.processes += world.processes.started
        self.payloads += len(world.issued)
        self.broken += len(world.broken)
        self.repeated += world.repeated
        self.full_disks += world.full_disks
        self.requests += world.proxy.requests
        self.acknowledged += world.acknowledged.checked
        self.configs += len(world.configs)
        self.disk_refused |= world.disk.folder is None
        self.met.update(world.dice.met)
        self.messages.update(world.wire.met)
        self.acted.update(world.acted)

    def join(self, other):
        for name, value in vars(other).items():
            if isinstance(value, Counter):
                getattr(self, name).update(value)
            else:
                setattr(self, name, getattr(self, name) + value)

    def lines(self, hit, seconds):
        yield "cycles", self.cycles
        yield "payloads issued", f"{self.payloads}, {self.repeated} of them by two nodes, {self.broken} broken"
        yield "processes started", self.processes
        yield "killed with -9", self.kills
        yield "died at a crash point", f"{sum(hit.values())}, at {len(hit)} points"
        for service in ALL:
            met = [f"{name} {self.met[service, name]}" for name in ALL[service]]
            yield f"faults of {service}", ", ".join(met)
        yield "messages", ", ".join(f"{name} {count}" for name, count in sorted(self.messages.items()))
        yield "full disk", "not possible here: mounting is refused" if self.disk_refused else self.full_disks
        yield "digests of configurations", self.configs
        yield "requests through the proxy", self.requests
        yield "acknowledgements watched", self.acknowledged
        yield "values compared", self.compared
        yield "actors", ", ".join(f"{name} {count}" for name, count in sorted(self.acted.items()))
        yield "seconds", round(seconds)

    def print(self, *more):
        for name, value in self.lines(*more):
            print(f"{name:28}{value}")


def check(world, summary):
    promises = Promises(world)
    broken = promises.check()
    summary.compared += promises.compared
    return broken


def run_lake(arguments, first, count, hit):
    """Cycles over one lake: what was seen, what is broken and in which cycle that was noticed."""
    summary, number = Summary(), first
    operations_every, promises_every = OPERATIONS_EVERY, PROMISES_EVERY
    if arguments.sabotage:
        operations_every = promises_every = PROMISES_EVERY_WITH_SABOTAGE
    world = World(arguments.program, f"{arguments.seed}.{first}", hit, arguments.sabotage)
    try:
        broken = []
        for number in range(first, first + count):
            cycle.run(world)
            summary.cycles += 1
            done = number - first + 1
            if arguments.verbose:
                told = f"{len(world.issued)} payloads in its lake, {world.processes.kills} kills, {len(hit)} points hit"
                print(f"cycle {number}: {told}", flush=True)
            if done % operations_every == 0 or done == count:
                cycle.settle(world)
                if done == count:
                    world.ran("promote")
                if done % promises_every == 0 or done == count:
                    broken = check(world, summary)
                if broken or done == count:
                    break
                operations.run(world, number // operations_every)
    except AssertionError as failed:
        broken = [str(failed)]
    finally:
        summary.add(world)
        world.close(keep=arguments.keep)
    if broken and arguments.keep:
        broken.append(f"kept in {world.folder}")
    return summary, number, broken


def never(summary, hit):
    """A point that nobody died at and a fault that nobody met were not tested."""
    points = [f"crash point never hit: {point}" for point in CrashPoints.all() if not hit.get(point)]
    return points + [f"fault never met: {name}" for name in unmet(summary.met)]


def run(arguments, quiet=False):
    began = time.monotonic()
    summary, broken = Summary(), []
    size = min(CYCLES_OF_A_LAKE, -(-arguments.cycles // arguments.lanes))
    lakes = [(first, min(size, arguments.cycles - first)) for first in range(0, arguments.cycles, size)]
    with Manager() as manager, ProcessPoolExecutor(arguments.lanes) as pool:
        hit = manager.dict()
        futures = [pool.submit(run_lake, arguments, first, count, hit) for first, count in lakes]
        for future in as_completed(futures):
            seen, number, found = future.result()
            summary.join(seen)
            if found:
                broken += [f"seed {arguments.seed}, cycle {number}: {line}" for line in found]
                pool.shutdown(wait=False, cancel_futures=True)
                break
        pool.shutdown(wait=True)
        hit = dict(hit)
    if quiet:
        return broken
    if not broken and not arguments.sabotage:
        broken = never(summary, hit) + (synced.check(arguments.program) or [])
    print("\n".join(broken), end="\n" if broken else "")
    if broken and not arguments.sabotage:
        options = f"--seed {arguments.seed} --cycles {arguments.cycles} --lanes {arguments.lanes}"
        print(f"again by: cargo xtask faults {options}")
    summary.print(hit, time.monotonic() - began)
    return broken


def parser():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True, type=Path, help="the program under test, a debug build")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cycles", type=int, default=40)
    parser.add_argument("--sabotage", help="a promise that the program breaks; the run must notice")
    parser.add_argument("--lanes", type=int, default=LANES, help="lakes at once")
    parser.add_argument("--verbose", action="store_true", help="a line for each cycle")
    parser.add_argument("--keep", action="store_true", help="keep the folders of a run, logs of all processes included")
    return parser


def main():
    arguments = parser().parse_args()
    broken = run(arguments)
    if arguments.sabotage:
        print(f"sabotage {arguments.sabotage}: {'noticed' if broken else 'NOT NOTICED'}")
        return 0 if broken else 1
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
