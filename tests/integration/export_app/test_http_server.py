"""The HTTP server on real sockets, with a small application and short deadlines: slow, greedy and odd clients."""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from export_app.metrics.requests import RequestMetrics
from export_app.server import bounds, connection, http_server, tasks
from export_app.server.bind import listen
from export_app.server.http_server import Server
from tests.waiting import wait_until
from tollbook.setting_values import Bind

LARGE = 8 * 1024 * 1024
SHORT_S = 0.5
WAIT_S = 20.0


@dataclass
class Application:
    """`/large` is LARGE bytes; `/wait` waits for `go`; anything else is its path."""

    go: threading.Event = field(default_factory=threading.Event)
    waiting: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ["PATH_INFO"]
        if path == "/wait":
            self.waiting.release()
            assert self.go.wait(WAIT_S)
        body = b"x" * LARGE if path == "/large" else path.encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]


@dataclass
class Running:
    """A server that runs in a thread of this process."""

    server: Server
    application: Application
    port: int
    thread: threading.Thread

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        """A connection from an address of loopback."""
        return socket.create_connection(("127.0.0.1", self.port), WAIT_S, source_address=(source, 0))

    def ask(self, path: str, source: str = "127.0.0.1") -> bytes:
        """The response to a request on a connection of its own."""
        with self.connect(source) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
            return everything(client)


Start = Callable[..., Running]


def everything(client: socket.socket) -> bytes:
    """What comes until the server closes."""
    found = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(1 << 20):
            found += part
    return bytes(found)


def is_closed(client: socket.socket) -> bool:
    """Whether the server has closed a connection, whatever came before."""
    client.setblocking(False)
    try:
        while client.recv(1 << 16):
            pass
    except BlockingIOError:
        return False
    except ConnectionResetError:
        pass
    return True


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Return a function that starts a server; at the end all have stopped."""
    monkeypatch.setattr(http_server, "_TICK_S", 0.05)
    started: list[Running] = []

    def run(proxies: Iterable[str] = ()) -> Running:
        application = Application()
        listener = listen(Bind(host="127.0.0.1", port=0))
        server = Server(application, listener, [ip_network(proxy) for proxy in proxies], RequestMetrics())
        thread = threading.Thread(target=server.run, daemon=True)
        running = Running(server, application, listener.getsockname()[1], thread)
        thread.start()
        started.append(running)
        return running

    yield run
    for running in started:
        running.application.go.set()
        running.server.stop()
        running.thread.join(WAIT_S)
        assert not running.thread.is_alive()
        running.server.close()


def dripped(client: socket.socket, what: bytes) -> float:
    """Send a byte at a time until the server closes; return how long that took."""
    begun = time.monotonic()
    while not is_closed(client):
        assert time.monotonic() < begun + WAIT_S
        with contextlib.suppress(OSError):
            client.send(what)
        time.sleep(SHORT_S / 10)
    return time.monotonic() - begun


@pytest.mark.parametrize(
    ("begin", "then"),
    [
        (b"", b"\r\n"),
        (b"GET / HTTP/1.1\r\nx: ", b"y"),
        (b"GET / HTTP/1.1\r\nContent-Length: 60000\r\n\r\n", b"y"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"y"),
        (b"GET / HTTP/1.1\r\n\r\n", b"G"),
    ],
    ids=["blank lines", "head", "body", "chunk", "trailer", "second request"],
)
def test_a_request_has_a_deadline_however_it_drips(
    start: Start, monkeypatch: pytest.MonkeyPatch, begin: bytes, then: bytes
) -> None:
    """From its first byte to its last, a request has REQUEST_TIMEOUT_S: a byte now and then gains nothing."""
    monkeypatch.setattr(connection, "REQUEST_TIMEOUT_S", SHORT_S)
    with start().connect() as client:
        client.sendall(begin)
        assert dripped(client, then) >= 0.5 * SHORT_S


def test_an_idle_connection_is_closed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first request, and after one, a connection may be idle for IDLE_TIMEOUT_S."""
    monkeypatch.setattr(connection, "IDLE_TIMEOUT_S", SHORT_S)
    running = start()
    with running.connect() as never, running.connect() as after:
        after.sendall(b"GET /once HTTP/1.1\r\n\r\n")
        assert everything(never) == b""
        assert everything(after).endswith(b"/once")


def test_a_response_has_a_deadline(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that takes its response drop by drop is cut off after RESPONSE_TIMEOUT_S."""
    monkeypatch.setattr(connection, "RESPONSE_TIMEOUT_S", SHORT_S)
    with start().connect() as client:
        client.sendall(b"GET /large HTTP/1.1\r\n\r\n")
        begun, taken = time.monotonic(), 0
        with contextlib.suppress(ConnectionResetError):
            while part := client.recv(1000):
                taken += len(part)
                time.sleep(0.01 if time.monotonic() < begun + 3 * SHORT_S else 0)
        assert taken < LARGE


def test_pipelined_requests_that_nobody_reads_hold_neither_threads_nor_memory(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next is served when the client has taken the response before; then each comes whole, and in order."""
    monkeypatch.setattr(http_server, "THREADS", 2)
    running = start()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(running.connect()) for _ in range(4)]
        for client in clients:
            client.sendall(b"GET /large HTTP/1.1\r\n\r\n" * 9 + b"GET /last HTTP/1.1\r\nConnection: close\r\n\r\n")
        for _ in range(20):
            assert running.ask("/other").endswith(b"/other")
        assert all(one.total_outbufs_len <= LARGE + 1000 for one in running.server.active_channels.values())
        for client in clients:
            found = everything(client)
            assert found.count(b"HTTP/1.1 200 OK") == 10
            assert len(found) > 9 * LARGE
            assert found.endswith(b"/last")


def test_one_address_has_so_many_connections_and_others_have_theirs(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more closes the one of the same address that has waited longest; a trusted proxy has no such bound."""
    monkeypatch.setattr(bounds, "MAX_CONNECTIONS_PER_CLIENT", 3)
    running = start(proxies=["127.0.0.9"])
    with contextlib.ExitStack() as stack:
        of_proxy = [stack.enter_context(running.connect("127.0.0.9")) for _ in range(8)]
        of_other = stack.enter_context(running.connect("127.0.0.8"))
        greedy = [stack.enter_context(running.connect()) for _ in range(8)]
        wait_until(lambda: sum(map(is_closed, greedy)) == 5, WAIT_S)
        assert [is_closed(client) for client in greedy] == [True] * 5 + [False] * 3
        assert not any(map(is_closed, (*of_proxy, of_other)))
        assert running.ask("/here").endswith(b"/here")


def test_all_together_have_so_many_connections(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bound those go that have waited longest, and a new client is served."""
    monkeypatch.setattr(http_server, "MAX_CONNECTIONS", 5)
    running = start()
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(running.connect(f"127.0.0.{2 + number}")) for number in range(9)]
        wait_until(lambda: sum(map(is_closed, many)) == 4, WAIT_S)
        assert running.ask("/new").endswith(b"/new")
        assert [is_closed(client) for client in many] == [True] * 5 + [False] * 4


def test_urgent_data_ends_a_connection(start: Start) -> None:
    """HTTP has none, and poll(2) would report it without end."""
    with start().connect() as client:
        client.send(b"!", socket.MSG_OOB)
        wait_until(lambda: is_closed(client), WAIT_S)


def test_a_stop_ends_what_is_asked_for_and_nothing_else(start: Start) -> None:
    """Idle connections and half requests are closed at once; a response under way comes whole, and is the last."""
    running = start()
    with running.connect() as idle, running.connect() as half, running.connect() as asking:
        half.sendall(b"GET / HTT")
        asking.sendall(b"GET /wait HTTP/1.1\r\n\r\nGET /late HTTP/1.1\r\n\r\n")
        assert running.application.waiting.acquire(timeout=WAIT_S)
        running.server.stop()
        assert everything(idle) == everything(half) == b""
        assert running.thread.is_alive()
        running.application.go.set()
        found = everything(asking)
        assert found.endswith(b"/wait")
        running.thread.join(WAIT_S)
        assert not running.thread.is_alive()
        with pytest.raises(ConnectionRefusedError):
            running.connect()


def test_a_fault_of_ours_ends_the_connection(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where not even the refusal of a request can be written, its connection is closed, and the others go on."""
    running = start()

    def fail(*of: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(tasks, "error_body", fail)
    with running.connect() as client:
        client.sendall(b"rubbish\r\n\r\n")
        assert everything(client) == b""
    assert "a fault" in caplog.text
    assert running.ask("/other").endswith(b"/other")


def test_a_request_that_hangs_is_logged_once(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After HUNG_S the log has the path, and where in the code the thread is."""
    monkeypatch.setattr(connection, "HUNG_S", SHORT_S)
    running = start()
    with running.connect() as client, caplog.at_level(logging.ERROR, "tollbook.serve"):
        client.sendall(b"GET /wait HTTP/1.1\r\n\r\n")
        wait_until(lambda: "a request does not end path=/wait" in caplog.text, WAIT_S)
        time.sleep(SHORT_S)
        assert caplog.text.count("does not end") == 1
        assert "Application.__call__" in caplog.text


def test_the_watchdog_is_fed_only_while_a_thread_can_serve(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """WATCHDOG=1 passes through the loop and a worker thread: when all threads hang, none is sent."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "100000")
    monkeypatch.setattr(http_server, "THREADS", 2)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd, contextlib.ExitStack() as stack:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(WAIT_S)
        running = start()
        for _ in range(3):
            assert systemd.recv(100) == b"WATCHDOG=1"
        for _ in range(3):
            stack.enter_context(running.connect()).sendall(b"GET /wait HTTP/1.1\r\n\r\n")
        for _ in range(2):
            assert running.application.waiting.acquire(timeout=WAIT_S)
        systemd.settimeout(1.0)
        with contextlib.suppress(TimeoutError):
            systemd.recv(100)  # it may have been sent before the threads hung
        with pytest.raises(TimeoutError):
            systemd.recv(100)
        running.application.go.set()
        systemd.settimeout(WAIT_S)
        assert systemd.recv(100) == b"WATCHDOG=1"
