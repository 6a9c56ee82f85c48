"""A proxy between Sluice and its servers, which gives the faults of networks and servers."""

import asyncio
import threading

import faults
from faults import Request
from http_messages import answer, dechunked, read_body, read_head

SLOW_SECONDS = 0.2
LIMIT = 64 << 20


def refusal(service, name):
    """How the service says it."""
    if service == "s3":
        code = {faults.UNAVAILABLE: (503, "SlowDown"), faults.CONFLICT: (409, "ConditionalRequestConflict")}
        status, word = code.get(name, (500, "InternalError"))
        body = f'<?xml version="1.0"?><Error><Code>{word}</Code><Message>injected</Message></Error>'
        return answer(status, word, body, "application/xml")
    if service == "catalog":
        codes = {
            faults.UNAVAILABLE: (503, "ServiceUnavailableException"),
            faults.NOT_COMMITTED: (409, "CommitFailedException"),
        }
        status, word = codes.get(name, (500, "CommitStateUnknownException"))
        body = f'{{"error": {{"message": "injected", "type": "{word}", "code": {status}}}}}'
        return answer(status, word, body, "application/json")
    status = 503 if name == faults.UNAVAILABLE else 500
    body = '{"__type": "com.amazonaws.sqs#InternalFailure", "message": "injected"}'
    return answer(status, "InternalFailure", body, "application/x-amz-json-1.0")


class Proxy:
    """Listens on a port of its own; `watcher` sees what passes to the queues."""

    def __init__(self, upstream, dice, watcher=None):
        self.upstream = upstream
        self.dice = dice
        self.watcher = watcher
        self.port = None
        self.requests = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait()

    @property
    def uri(self):
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self):
        asyncio.set_event_loop(self._loop)

        async def listen():
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=LIMIT)
            self.port = server.sockets[0].getsockname()[1]
            self._ready.set()
            return server

        server = self._loop.run_until_complete(listen())
        self._loop.run_forever()
        server.close()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))

    async def _serve(self, reader, writer):
        try:
            while (request := await self._request(reader, writer)) is not None:
                self.requests += 1
                if not await self._answer(request, writer):
                    break
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # The client has gone, or the proxy is being stopped.
            pass
        finally:
            writer.close()

    async def _request(self, reader, writer):
        read = await read_head(reader)
        if read is None:
            return None
        first, headers, head = read
        if headers.pop("expect", None):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await writer.drain()
            lines = head.split(b"\r\n")
            head = b"\r\n".join(line for line in lines if not line.lower().startswith(b"expect:"))
        method, path, _ = first.split(" ", 2)
        return Request(method, path, headers, head, await read_body(reader, headers))

    async def _answer(self, request, writer):
        """Whether the connection goes on."""
        name = self.dice.throw(request)
        if name == faults.RESET:
            return False
        if name in (faults.UNAVAILABLE, faults.CONFLICT, faults.NOT_COMMITTED):
            writer.write(refusal(request.service, name))
            return True
        if name == faults.SLOW:
            await asyncio.sleep(SLOW_SECONDS)
        if self.watcher:
            await self.watcher.before(request, self)
        headers, head, body = await self.forward(request)
        if self.watcher:
            self.watcher.after(request, dechunked(headers, body) if request.service == "sqs" else b"")
        if name == faults.TOLD_TWICE:
            headers, head, body = await self.forward(request)
        if name == faults.LOST_REPLY:
            return False
        if name == faults.ERROR_AFTER:
            writer.write(refusal(request.service, name))
            return True
        if name == faults.TRUNCATED:
            writer.write(head + body[: len(body) // 2])
            await writer.drain()
            return False
        writer.write(head + body)
        return headers.get("connection", "").lower() != "close"

    async def forward(self, request):
        """What the server says."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream, limit=LIMIT)
        try:
            writer.write(request.head + request.body)
            await writer.drain()
            first, headers, head = await read_head(reader)
            status = int(first.split()[1])
            has_body = request.method != "HEAD" and status not in (204, 304)
            return headers, head, await read_body(reader, headers, has_body, until_end=True)
        finally:
            writer.close()

    async def get(self, path):
        """(status, body) of a plain request, past all faults."""
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
        headers, head, body = await self.forward(Request("GET", path, {}, head, b""))
        return int(head.split()[1]), dechunked(headers, body)
