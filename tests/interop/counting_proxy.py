"""An HTTP proxy on loopback that counts what passes to an S3 server, by kind of request."""

import collections
import contextlib
import http.client
import http.server
import threading


class Proxy:
    def __init__(self, port):
        self.target, self.counted, self.lock = port, collections.Counter(), threading.Lock()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def pass_on(self):
                owner.count(self.command, self.path)
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else None
                connection = http.client.HTTPConnection("127.0.0.1", owner.target, timeout=120)
                connection.request(self.command, self.path, body, dict(self.headers))
                answer = connection.getresponse()
                content = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                        self.send_header(name, value)
                size = answer.getheader("Content-Length") if self.command == "HEAD" else len(content)
                self.send_header("Content-Length", str(size or 0))
                self.end_headers()
                self.wfile.write(content)
                connection.close()

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = pass_on

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self.server = Server(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.server.server_address[1]}"

    def count(self, method, path):
        kind = "LIST" if method == "GET" and "list-type=2" in path else method
        with self.lock:
            self.counted[kind] += 1

    def reset(self):
        with self.lock:
            self.counted.clear()

    def counts(self):
        with self.lock:
            return dict(self.counted)


@contextlib.contextmanager
def start(port):
    proxy = Proxy(port)
    thread = threading.Thread(target=proxy.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.server.shutdown()
        proxy.server.server_close()
