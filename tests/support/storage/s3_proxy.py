"""A proxy before an S3-compatible server that ignores conditions, or loses requests and answers.

It runs in threads of the test's own process. `deaf` are pairs of a method and a header that it does
not pass on: so a store behaves that never heard of the condition. Requests of a method and a part
of a path in `idle` are said to be done, and are not. With `loss` it answers 503 so
often, half of the time after the server did what was asked.
"""

import http.client
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class Proxy:
    """A proxy's faults, its address, and what it saw."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.endpoint = ""
        self.deaf: set[tuple[str, str]] = set()
        self.idle: set[tuple[str, str]] = set()
        self.loss = 0.0
        self.random = random.Random(1)
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def fault(self) -> str:
        """The fault of the next request: none, before the server has it, or after."""
        with self._lock:
            self.counts["requests"] += 1
            if self.random.random() >= self.loss:
                return ""
            kind = self.random.choice(["before", "after"])
            self.counts[kind] += 1
            return kind

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Passes a request on, and its answer back."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        fault = self.fault()
        if fault == "before":
            return self._answered(handler, 503)
        if any(handler.command == method and part in handler.path for method, part in self.idle):
            return self._answered(handler, 204)
        address = urlsplit(self.server)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
        headers = {
            name: value
            for name, value in handler.headers.items()
            if (handler.command, name.lower()) not in self.deaf
        }
        connection.request(handler.command, handler.path, body or None, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if fault == "after":
            return self._answered(handler, 503)
        handler.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                handler.send_header(name, value)
        length = answer.getheader("Content-Length") if handler.command == "HEAD" else None
        handler.send_header("Content-Length", length or str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)
        return None

    def _answered(self, handler: BaseHTTPRequestHandler, status: int) -> None:
        handler.send_response_only(status)
        if status != 204:
            handler.send_header("Content-Length", "0")
        handler.end_headers()


@contextmanager
def proxy_before(server: str) -> Iterator[Proxy]:
    """A proxy, running."""
    proxy = Proxy(server)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (ConnectionError, http.client.HTTPException):
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    for method in ("GET", "PUT", "HEAD", "POST", "DELETE"):
        setattr(Handler, f"do_{method}", lambda self: proxy.answer(self))
    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    proxy.endpoint = f"http://127.0.0.1:{listening.server_address[1]}"
    thread = threading.Thread(target=listening.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield proxy
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()
