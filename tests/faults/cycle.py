"""One cycle: payloads arrive, are announced and land, while everything goes wrong that can."""

import time

import actors

# How often an edge host is started again before its folders wait for the next cycle.
EDGE_TRIES = 3
ENDED_WELL = (0, 3)
# Processes of a cycle that die at a crash point of ingest.
ARMED = 2


def run(world):
    random = world.random
    if random.random() < 0.2:
        world.config += 1
    world.issue(random.randint(1, 3), broken=random.random() < 0.25)
    world.dice.is_on = True
    try:
        if random.random() < 0.15 and world.disk.folder:
            full_disk(world)
        announce(world)
        world.wire.carry(faulty=True)
        ingest(world)
    finally:
        world.dice.is_on = False


def edge(world, node, folders):
    options = ["--skip-gold", "--threads", "1", "--announce-only", "--format", "json"]
    return ["land", *options, "--routes", world.routes(node), *folders]


def announce(world, points=True):
    """Edge hosts flatten and announce, all at once; one of them dies at a crash point."""
    if not world.waiting:
        return
    if points and world.random.random() < 0.3:
        node, folders = world.waiting[0]
        world.waiting.append(("east", folders))
        world.repeated += 1
    names = [folder.name for _, folders in world.waiting for folder in folders]
    kind = "quarantine" if any("broken" in name for name in names) else "edge"
    for turn in range(EDGE_TRIES):
        started = []
        for index, (node, folders) in enumerate(world.waiting):
            has_broken = any("broken" in folder.name for folder in folders)
            is_armed = points and turn == 0 and (has_broken if kind == "quarantine" else index == 0)
            point = world.points.next(kind) if is_armed else None
            started.append(world.processes.start(edge(world, node, folders), world.work(node), point))
        for process in started:
            process.wait(120)
        world.processes.note_ended()
        ended = zip(world.waiting, started)
        world.waiting = [waiting for waiting, process in ended if process.returncode not in ENDED_WELL]
        if not world.waiting:
            return
    if not points:
        raise AssertionError(f"an edge host cannot announce: {world.processes.told(started[0])}")


def full_disk(world):
    """An edge host without room: it may fail, with a reason, and goes on from what it has once there is room."""
    node, folders = world.waiting[0]
    world.disk.fill(leave=world.random.choice([0, 4096, 16384, 65536]))
    work = world.disk.folder / node
    process = world.processes.run(edge(world, node, folders), work)
    world.full_disks += process.returncode not in ENDED_WELL
    world.disk.free()
    for _ in range(EDGE_TRIES):
        if world.processes.run(edge(world, node, folders), work).returncode in ENDED_WELL:
            world.waiting.pop(0)
            return


def ingest(world):
    """Several bundlers and workers, two of which die at crash points and the others at any time."""
    random = world.random
    tables = [actors.ENDING] * ARMED + [actors.ANY] * random.randint(0, 2)
    for index, table in enumerate(tables):
        point = world.points.next("ingest") if table is actors.ENDING else None
        actor = actors.choose(random, table)
        process = world.processes.start(actor(world), world.work(f"worker-{index}"), point)
        world.acted[actor.__name__] += 1
        if actor is actors.bundler:
            work_on_planned(world, process)
    world.processes.kill_all(after=random.uniform(0.2, 0.9))


def work_on_planned(world, bundler):
    """A worker of its own for each batch that was planned so far."""
    time.sleep(0.5)
    for batch in world.processes.output(bundler).split()[:2]:
        world.processes.start(["ingest", "work", batch], world.work(f"work-{batch[:6]}"))
        world.acted["worker"] += 1


def settle(world):
    """Nothing is repaired: the ordinary commands run once more, and nothing goes wrong this time."""
    world.dice.is_on = False
    announce(world, points=False)
    world.wire.carry(faulty=False)
    world.ran(*actors.idle_service(world), codes=ENDED_WELL)
