"""The command lines by which announcements become rows. Each may be run by anybody, at any time, beside the others."""


def ingest(world, verb, hide, *options):
    return ["ingest", verb, "--queue", world.queue, "--hide", hide, *options]


def service(world):
    """Goes on until it is killed."""
    return ingest(world, "run", "1s", "--batch-age", "1s", "--sweep-every", "1s", "--sweep-days", "1")


def idle_service(world):
    """Ends when nothing is left to do: no batch waits long."""
    return ingest(world, "run", "1s", "--until-idle", "--batch-count", "2", "--sweep-days", "1")


def bundler(world):
    return ingest(world, "bundle", "1s", "--until-idle", "--batch-count", "1", "--sweep-days", "0")


def sweeper(_world):
    return ["ingest", "sweep"]


def laptop(world):
    """Flattens, announces and lands in one process what has arrived long ago, and all that waits beside it."""
    folder = world.random.choice(world.issued).folder
    return ["land", "--skip-gold", "--threads", "1", "--routes", world.routes("laptop"), folder]


# With how often each is chosen.
ANY = ((service, 3), (idle_service, 1), (bundler, 2), (laptop, 1))
# They end by themselves, so that it is known whether they reach a crash point.
ENDING = ((idle_service, 2), (sweeper, 4), (laptop, 1))


def choose(random, table):
    actors, weights = zip(*table)
    return random.choices(actors, weights)[0]
