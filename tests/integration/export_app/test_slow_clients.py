"""Clients without a key that send slowly, or nothing: whoever has a key gets pages as before."""

import contextlib
import itertools
import resource
import socket
import statistics
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from export_app.server.connection import REQUEST_TIMEOUT_S
from tests.api_server import TIMEOUT_S, ApiServer, serving
from tests.databases import store
from tests.factories import BUSY, START_MS, call
from tollbook.store import keys
from tollbook.store.database import Connection
from tollbook.store.tariffs import tariffs

HEAD = b"GET /v1/calls HTTP/1.1\r\nHost: x\r\n"
BODY = HEAD + b"Content-Length: 1000\r\n\r\n"
EVERY_S = 4  # a byte
PER_ADDRESS = 100
PAGES = 20
ROUNDS = 4


@pytest.fixture
def served(database_url: str, tmp_path: Path) -> Iterator[ApiServer]:
    with serving(database_url, tmp_path / "serve.log", rate_limit="1000000") as server:
        yield server


@pytest.fixture
def secret(database: Connection) -> str:
    """A key of an account with 1,000 calls."""
    database.autocommit = True
    tariffs.add_account(database, tariffs.Account(account_id="acme", name="Acme", plan_id=None))
    store(database, *(call(f"c{n}", start_ts=START_MS + n, **BUSY) for n in range(1000)))
    return keys.create(database, account_id="acme", scopes=["cdr"])[1]


@contextlib.contextmanager
def slow_clients(port: int, count: int, begin: bytes) -> Generator[None]:
    """Keep so many connections open, each from one of several addresses: send `begin`, then a byte now and then.

    Whoever is cut off connects again a second later.
    """
    stop = threading.Event()
    clients: list[socket.socket | None] = [None] * count

    def keep_open() -> None:
        for second in itertools.count():
            drip = second % EVERY_S == 0
            for number, client in enumerate(clients):
                if client is None or is_cut_off(client, drip=drip and bool(begin)):
                    if client is not None:
                        client.close()
                    clients[number] = connected(port, f"127.0.0.{2 + number // PER_ADDRESS}", begin)
            if stop.wait(1.0):
                return

    thread = threading.Thread(target=keep_open)
    thread.start()
    try:
        time.sleep(3)
        yield
    finally:
        stop.set()
        thread.join(TIMEOUT_S)
        for client in filter(None, clients):
            client.close()


def connected(port: int, source: str, begin: bytes) -> socket.socket | None:
    with contextlib.suppress(OSError):
        client = socket.create_connection(("127.0.0.1", port), TIMEOUT_S, source_address=(source, 0))
        client.sendall(begin)
        client.setblocking(False)
        return client
    return None


def is_cut_off(client: socket.socket, *, drip: bool) -> bool:
    try:
        if drip:
            client.send(b"x")
        return client.recv(1000) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def pages_s(served: ApiServer, secret: str, count: int = PAGES) -> list[float]:
    """Ask for a page of 1,000 rows so often, each on a connection of its own; return how long each took, in seconds."""
    taken: list[float] = []
    for _ in range(count):
        begun = time.perf_counter()
        response, _ = served.get("/v1/calls", secret)
        taken.append(time.perf_counter() - begun)
        assert response.status == 200
    return taken


@pytest.mark.parametrize("begin", [HEAD, BODY], ids=["head", "body"])
def test_64_dripping_clients_stop_nobody(served: ApiServer, secret: str, begin: bytes) -> None:
    """As many clients as there are threads drip a byte every 4 s: others are served, and each is cut off in time."""
    with slow_clients(served.port, 64, begin):
        pages_s(served, secret)
        served.wait_for("cut off a client that was too slow", 3 * REQUEST_TIMEOUT_S)
        pages_s(served, secret)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("count", "begin"), [(64, HEAD), (64, BODY), (300, b""), (1500, b"")], ids=["head", "body", "300 idle", "1500 idle"]
)
def test_a_page_takes_at_most_twice_as_long(served: ApiServer, secret: str, count: int, begin: bytes) -> None:
    """The median of a page, in turn with and without the slow clients."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    pages_s(served, secret)
    quiet = pages_s(served, secret)
    slow: list[float] = []
    for _ in range(ROUNDS):
        with slow_clients(served.port, count, begin):
            slow += pages_s(served, secret)
        quiet += pages_s(served, secret)
    quiet_ms, slow_ms = statistics.median(quiet) * 1000, statistics.median(slow) * 1000
    figures = f"{quiet_ms:.1f} ms in quiet, {slow_ms:.1f} ms meanwhile, at most {max(slow) * 1000:.0f} ms"
    print(figures)  # noqa: T201 - the figures of docs/reliability.md
    assert slow_ms <= 2 * quiet_ms, figures
