"""What operators do between cycles, dying at crash points on the way: take payloads out, go back, clean up."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))

import readers  # noqa: E402

PIXELS = "silver.c_pixels"
TRIES = 4


def repeat(world, arguments, point):
    """Runs it, again after a death. What had been done to its end has nothing left to do, which may be an error."""
    for turn in range(TRIES):
        process = world.processes.run(arguments, world.work("operator"), point if turn == 0 else None)
        if process.returncode in (0, 1) and (process.returncode == 0 or turn > 0):
            break
        if process.returncode == 1:
            raise AssertionError(f"an operation failed: {world.processes.told(process)}")
    world.ran("ingest", "sweep", codes=(0, 3))


def payloads_inside(world):
    return [payload for payload in world.issued if not payload.kept_out]


def come_again(world, away):
    """Payloads that are out of the lake arrive once more."""
    folders = [payload.folder for payload in world.issued if payload.id in away and not payload.kept_out]
    if folders:
        world.waiting.append(("north", folders))


def undo(world, reopen, kind):
    payload = world.random.choice(payloads_inside(world)[-20:])
    how = "--reopen" if reopen else "--discard"
    payload.kept_out = not reopen
    command = ["undo", "--yes", "--skip-gold", how, "--payload", payload.id]
    repeat(world, command, world.points.next(kind))
    come_again(world, {payload.id})


def rollback(world):
    """To the newest older snapshot in which some payloads were not yet; whole batches leave the lake by it."""
    catalog = readers.bucket_catalog(f"{world.servers.uri}/iceberg", world.servers.uri)
    table = catalog.load_table(PIXELS)

    def ids(snapshot):
        rows = table.scan(selected_fields=("payload_id",), snapshot_id=snapshot).to_arrow()
        return set(rows["payload_id"].to_pylist())

    head = table.current_snapshot()
    now, older = ids(head.snapshot_id), head
    while older.parent_snapshot_id is not None:
        older = table.snapshot_by_id(older.parent_snapshot_id)
        if older is None or not (then := ids(older.snapshot_id)) <= now:
            return
        if then != now:
            landed = catalog.load_table("bronze.payloads").scan().to_arrow().to_pylist()
            command = ["rollback", PIXELS, "--to", str(older.snapshot_id), "--yes", "--skip-gold"]
            repeat(world, command, world.points.next("revert"))
            batches = {row["batch_id"] for row in landed if row["payload_id"] in now - then}
            come_again(world, {row["payload_id"] for row in landed if row["batch_id"] in batches})
            return


def clean_up(world):
    """Few files and few snapshots again."""
    repeat(world, ["compact", PIXELS, "bronze.payloads"], None)
    command = ["expire", "--older-than", "0s", "--keep-last", "2"]
    repeat(world, command, world.points.next("file-delete"))


def run(world, number):
    """Two operations; each kind comes up again and again."""
    both = (
        (lambda: rollback(world), lambda: undo(world, True, "end")),
        (lambda: clean_up(world), lambda: undo(world, True, "open")),
        (lambda: rollback(world), lambda: undo(world, False, "end")),
        (lambda: undo(world, True, "open"), lambda: clean_up(world)),
    )
    for operation in both[number % len(both)]:
        operation()
