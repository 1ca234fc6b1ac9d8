"""Receivers of webhooks: real servers on loopback that keep what they are sent, and answer as they are told."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from standardwebhooks.webhooks import Webhook

from tests.endpoints import SECRET
from tests.waiting import wait_until


@dataclass(frozen=True, kw_only=True)
class Received:
    """A request: its headers in lower case, its body, and when it came (epoch s)."""

    headers: dict[str, str]
    body: bytes
    at_s: float

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def event(self) -> str:
        return self.json["event"]

    @property
    def call_id(self) -> str:
        return self.json["data"]["call_id"]


@dataclass
class Receiver:
    """A receiver on a port of loopback, over TLS with `certificate` (and key, in one file).

    `answer` returns the status for a request, or None: it closes without one.
    """

    port: int = 0
    answer: Callable[[Received], int | None] = lambda received: 204
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    certificate: Path | None = None
    received: list[Received] = field(default_factory=list[Received])
    answered: int = 0  # whole answers that were taken

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}/hook"

    def wait_for(self, count: int, timeout_s: float = 20.0) -> list[Received]:
        """Wait until so many requests came, and return all."""
        wait_until(lambda: len(self.received) >= count, timeout_s, what=lambda: f"{len(self.received)} of {count}")
        return list(self.received)

    def verify(self, secret: str = SECRET) -> None:
        """Check every request as Standard Webhooks' own library does."""
        for received in self.received:
            Webhook(secret).verify(received.body, received.headers)


@contextmanager
def receiving(receiver: Receiver | None = None) -> Iterator[Receiver]:
    """Run a receiver, on its port if it has one."""
    found = receiver or Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            one = Received(headers=headers, body=body, at_s=time.time())
            status = found.answer(one)
            found.received.append(one)
            if status is None:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            if status != 204:
                self.wfile.write(found.body)
            found.answered += 1

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    class Server(ThreadingHTTPServer):
        request_queue_size = 128
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that is killed closes its connections."""

    with Server(("127.0.0.1", found.port), Handler) as server:
        found.port = server.server_address[1]
        if found.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(found.certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join(10)


@contextmanager
def silent_port() -> Iterator[int]:
    """A port on which connections are made, and nothing is ever answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield server.getsockname()[1]


@contextmanager
def counted_connections(host: str = "127.0.0.1", port: int = 0) -> Iterator[tuple[int, list[object]]]:
    """Listen; yield the port, and a list of whoever connected."""
    connected: list[object] = []
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as server:
        server.settimeout(0.05)
        stop = threading.Event()

        def accept() -> None:
            while not stop.is_set():
                try:
                    connection, who = server.accept()
                except TimeoutError:
                    continue
                connected.append(who)
                connection.close()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1], connected
        finally:
            stop.set()
            thread.join(5)
