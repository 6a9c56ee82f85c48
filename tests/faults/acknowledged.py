"""P4, seen from outside: when a message is deleted, what it tells of is claimed by a durable plan, or its rejection is
recorded."""

import json
from urllib.parse import quote, unquote_plus


def announcements(body, prefix):
    """Keys of announcements, below the lake, that an S3 event tells of."""
    records = json.loads(body).get("Records", [])
    keys = [unquote_plus(record["s3"]["object"]["key"]) for record in records]
    return [key[len(prefix) :] for key in keys if key.startswith(prefix + "announce/")]


class Acknowledged:
    """Watches receives and deletes of messages on their way through the proxy."""

    def __init__(self, bucket, prefix):
        self.bucket = bucket
        self.prefix = prefix
        self.bodies = {}
        self.early = []
        self.checked = 0

    def after(self, request, body):
        if request.headers.get("x-amz-target") == "AmazonSQS.ReceiveMessage" and body:
            for message in json.loads(body).get("Messages") or []:
                self.bodies[message["ReceiptHandle"]] = message["Body"]

    async def before(self, request, proxy):
        target = request.headers.get("x-amz-target", "")
        if not target.startswith("AmazonSQS.DeleteMessage"):
            return
        asked = json.loads(request.body)
        handles = [entry["ReceiptHandle"] for entry in asked.get("Entries", [asked])]
        for handle in handles:
            for key in announcements(self.bodies.get(handle, "{}"), self.prefix):
                self.checked += 1
                if not await self._is_durable(key, proxy):
                    self.early.append(key)

    async def _is_durable(self, key, proxy):
        payload, stage, *_ = key.rsplit("/", 1)[1].split(".")
        for claim in await self._list(proxy, f"ledger/claims/{payload}/{stage}/"):
            _, body = await proxy.get(f"/{self.bucket}/{claim}")
            plan = f"/{self.bucket}/{self.prefix}ledger/batches/{json.loads(body)['batch_id']}/plan.json"
            if (await proxy.get(plan))[0] == 200:
                return True
        for rejection in await self._list(proxy, "ledger/rejected/"):
            _, body = await proxy.get(f"/{self.bucket}/{rejection}")
            if key in body.decode():
                return True
        return False

    async def _list(self, proxy, below):
        _, body = await proxy.get(f"/{self.bucket}?list-type=2&prefix={quote(self.prefix + below)}")
        return [part.split("</Key>")[0] for part in body.decode().split("<Key>")[1:]]
