"""The way of notifications from the bucket to the queue, where they are lost, duplicated, reordered and delayed."""

import json
import urllib.request
from collections import Counter


class Wire:
    """Moves messages from the queue that the bucket tells to the one that Sluice reads."""

    def __init__(self, servers, random, told, read):
        self.servers = servers
        self.random = random
        self.told = servers.queue_url(told)
        self.read = servers.queue_url(read)
        self.met = Counter()
        self.bodies = []

    def _call(self, target, **fields):
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"AmazonSQS.{target}",
            "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, "
            "SignedHeaders=host, Signature=x",
        }
        request = urllib.request.Request(self.servers.uri + "/", json.dumps(fields).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"{}")

    def _take(self):
        taken = []
        while True:
            answer = self._call("ReceiveMessage", QueueUrl=self.told, MaxNumberOfMessages=10)
            messages = answer.get("Messages") or []
            if not messages:
                return taken
            for message in messages:
                self._call("DeleteMessage", QueueUrl=self.told, ReceiptHandle=message["ReceiptHandle"])
                taken.append(message["Body"])

    def carry(self, faulty):
        """Everything that was told since the last time."""
        bodies = [body for body in self._take() if "announce/" in body]
        self.bodies = (self.bodies + bodies)[-50:]
        sent = []
        for body in bodies:
            fate = self.random.random() if faulty else 1.0
            if fate < 0.12:
                self.met["lost"] += 1
                continue
            delay = 0
            if fate < 0.3:
                self.met["delayed"] += 1
                delay = self.random.randint(1, 3)
            sent.append((body, delay))
            if 0.3 <= fate < 0.5:
                self.met["duplicated"] += 1
                sent.append((body, self.random.choice([0, 0, 2])))
        if faulty and self.bodies and self.random.random() < 0.3:
            self.met["told again, late"] += 1
            sent.append((self.random.choice(self.bodies), 0))
        if faulty and len(sent) > 1:
            before = list(sent)
            self.random.shuffle(sent)
            self.met["reordered"] += before != sent
        for body, delay in sent:
            self._call("SendMessage", QueueUrl=self.read, MessageBody=body, DelaySeconds=delay)

    def left(self):
        """Messages that Sluice has not acknowledged, and dead letters."""
        def count(url):
            names = [f"ApproximateNumberOfMessages{state}" for state in ("", "NotVisible", "Delayed")]
            found = self._call("GetQueueAttributes", QueueUrl=url, AttributeNames=names)["Attributes"]
            return sum(int(found.get(name, 0)) for name in names)

        return count(self.read), count(self.read + "-dead")
