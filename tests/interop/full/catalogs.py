"""Every commit that we make, to another one's REST catalog: the whole life of a lake, then several processes that land at
once, then expiry. What the catalog shows at the end is what PyIceberg reads through it.

Argument: the catalog.
"""

import sys

from bucket import by_pyiceberg, init
from lake import PIXELS, PIXELS_OF_CUBE, Failed, everything
from servers import CATALOGS, Store
from verdict import Verdict

PROCESSES = 4
CUBES_EACH = 2


def land_at_once(verdict, lake):
    """All processes commit to the same tables."""
    folders = {
        number: [lake.cube(f"at-once-{number}-{cube}", 100 + 10 * number + cube) for cube in range(CUBES_EACH)]
        + [lake.capture(f"traces-{number}", 200 + number)]
        for number in range(PROCESSES)
    }
    running = [lake.spawn("land", *payloads) for payloads in folders.values()]
    for number, process in enumerate(running):
        _, told = process.communicate()
        verdict.equal(f"landing {number} at once: {told[-300:] if process.returncode else ''}", process.returncode, 0)


def expire(verdict, lake, keeps):
    """Afterwards every table shows one snapshot, but what a tag keeps or gold was computed from."""
    lake.json("expire", "--older-than", "0s", "--keep-last", "1")
    for label in lake.tables():
        kept = 1 + (label == PIXELS and keeps) + (label == "bronze.payloads")
        verdict.true(f"{label}: snapshots that are left", len(lake.history(label)) <= kept, lake.history(label))


def refused(verdict, lake, limits):
    """What we say of ourselves that the catalog cannot do."""
    for what, words in (
        ("tags", ["tag", "create", PIXELS, "kept"]),
        ("branches", ["land", "--branch", "june", lake.cube("hidden", 300)]),
        ("expiry", ["expire", "--older-than", "0s"]),
    ):
        if limits.get(what, "").find("we refuse") < 0:
            continue
        try:
            lake.execute(*words)
            verdict.true(f"{what} are refused", False, "it was done")
        except Failed as error:
            verdict.true(f"{what} are refused", "Nessie" in str(error) or "gc.enabled" in str(error), error)


def main(name):
    verdict = Verdict()
    with Store() as store, CATALOGS[name](store) as catalog, init(catalog, store) as lake:
        limits = catalog.limits
        cubes = everything(lake, without=limits)
        verdict.equal("pixels", lake.count(PIXELS), cubes * PIXELS_OF_CUBE)
        if "tags" not in limits:
            verdict.equal("pixels of the tag", lake.count(PIXELS, "--as-of", "narrow"), 2 * PIXELS_OF_CUBE)
        payloads = lake.count("bronze.payloads")
        land_at_once(verdict, lake)
        cubes += PROCESSES * CUBES_EACH
        verdict.equal("pixels after landings at once", lake.count(PIXELS), cubes * PIXELS_OF_CUBE)
        # A capture is of three ranks, each a payload.
        verdict.equal("payloads", lake.count("bronze.payloads"), payloads + PROCESSES * (CUBES_EACH + 3))
        if "expiry" not in limits:
            expire(verdict, lake, keeps="tags" not in limits)
        refused(verdict, lake, limits)
        lake.execute("verify")
        opened = by_pyiceberg(catalog, store)
        for label in lake.tables():
            theirs = opened.load_table(label).scan().to_arrow().num_rows
            verdict.equal(f"{label}: rows by PyIceberg", theirs, lake.count(label))
        verdict.equal("pixels at the end", lake.count(PIXELS), cubes * PIXELS_OF_CUBE)
        verdict.more = {"limits": limits}
    verdict.print()


if __name__ == "__main__":
    main(sys.argv[1])
