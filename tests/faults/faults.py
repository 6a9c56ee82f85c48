"""The classes of faults that a server on the network may give, and which of them a request may meet."""

import threading
from collections import Counter
from dataclasses import dataclass

# What the request asks for never happens.
UNAVAILABLE, RESET, CONFLICT, NOT_COMMITTED = "503", "reset", "409", "conflict"
# It happens, and the client is told something else, or nothing.
ERROR_AFTER, LOST_REPLY, TOLD_TWICE = "500 after the effect", "reply lost", "412 after the effect"
# It happens, late or in part.
SLOW, TRUNCATED = "slow", "truncated body"

ALL = {
    "s3": (UNAVAILABLE, RESET, CONFLICT, ERROR_AFTER, LOST_REPLY, TOLD_TWICE, SLOW, TRUNCATED),
    "catalog": (UNAVAILABLE, RESET, NOT_COMMITTED, ERROR_AFTER, LOST_REPLY, SLOW, TRUNCATED),
    "sqs": (UNAVAILABLE, RESET, ERROR_AFTER, LOST_REPLY, SLOW),
}

# Of all requests, by service and whether it writes: a landing reads much and commits little.
RATES = {
    ("s3", False): 0.02,
    ("s3", True): 0.05,
    ("catalog", False): 0.05,
    ("catalog", True): 0.2,
    ("sqs", True): 0.1,
    ("sqs", False): 0.1,
}


@dataclass
class Request:
    method: str
    path: str
    headers: dict
    head: bytes
    body: bytes

    @property
    def service(self):
        if self.path.startswith("/iceberg"):
            return "catalog"
        return "sqs" if self.headers.get("x-amz-target", "").startswith("AmazonSQS") else "s3"

    @property
    def is_write(self):
        return self.method in ("PUT", "POST", "DELETE")

    def may_meet(self):
        """The classes that a real server could give this request."""
        classes = [UNAVAILABLE, RESET, SLOW]
        if self.is_write:
            classes += [ERROR_AFTER, LOST_REPLY]
        elif self.method == "GET":
            classes.append(TRUNCATED)
        if self.service == "s3" and self.method == "PUT" and "if-none-match" in self.headers:
            # A put that is repeated below the client, by itself or by a load balancer, finds what it has put.
            classes += [CONFLICT, TOLD_TWICE]
        if self.service == "catalog" and self.method == "POST" and "/tables/" in self.path:
            classes.append(NOT_COMMITTED)
        return [name for name in classes if name in ALL[self.service]]


class Dice:
    """Decides which request meets what. Rare classes first, so that a short run meets them all."""

    def __init__(self, random):
        self.random = random
        self.is_on = False
        self.met = Counter()
        self.lock = threading.Lock()

    def throw(self, request):
        with self.lock:
            service = request.service
            if not self.is_on or self.random.random() >= RATES[service, request.is_write]:
                return None
            classes = request.may_meet()
            weights = [1 / (1 + self.met[service, name]) for name in classes]
            chosen = self.random.choices(classes, weights)[0]
            self.met[service, chosen] += 1
            return chosen


def unmet(met):
    """Classes that no request has met."""
    return [f"{service}: {name}" for service in ALL for name in ALL[service] if not met[service, name]]
