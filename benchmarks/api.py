"""The API: pages against COPY, deep pages against the first, requests a second, and rows written while exports hang.

Every figure but the last is a ratio of medians; the two sides are timed in turn, so that other work on the machine
slows both.
"""

import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

from benchmarks.events import TOLLBOOK
from tests.factories import BUSY, call
from tollbook.embedded import embedded_postgres
from tollbook.model.record import COLUMNS
from tollbook.store import keys
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection, connect
from tollbook.store.days.partitions import Partitions
from tollbook.store.schema import upgrade
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY

START = 1_790_000_000_000
CALLS = 1_100_000
DAYS = 10
ACCOUNTS = 10
PAGE = 10_000
DEPTH = 1_000
DEPTH_PAGE = 100
ROUNDS = 15
HANGING = 50
WRITTEN = 400
ACME = "a3"

_FILL = """
    INSERT INTO call_cdr (
        call_id, account_id, direction, from_num, to_num, start_ts, answer_ts, end_ts, duration_sec, billsec,
        answered, disposition, hangup_cause, cost_micros, switch, revision
    )
    SELECT md5(n::text)::uuid, 'a' || n %% %(accounts)s, 'outbound', (1000 + n %% 900)::text, '+4930' || 1000000 + n,
           start, start + 4000, start + 64000, 64, 60, 1, 'answered', 'NORMAL_CLEARING', 14534, 'fs1', 1
    FROM (SELECT n, %(start)s + n * %(step)s AS start FROM generate_series(0, %(calls)s - 1) AS n) AS numbered
"""
_COPY = f"""
    COPY (
        SELECT {", ".join(COLUMNS)} FROM call_cdr WHERE account_id = '{ACME}'
        ORDER BY start_ts DESC, call_id DESC LIMIT {PAGE}
    ) TO STDOUT (FORMAT csv)
"""


class Client:
    """Reads the API with a key, on a new connection for each request."""

    def __init__(self, port: int, key: str) -> None:
        self._port, self._headers = port, {"x-api-key": key}

    def get(self, query: str) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request("GET", f"/v1/calls?{query}", headers=self._headers)
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, body
            return answer, body
        finally:
            connection.close()


@contextlib.contextmanager
def serving(url: str, folder: str) -> Iterator[int]:
    """Run `tollbook serve`; yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    environment = os.environ | {
        "TOLLBOOK_DATABASE_URL": url,
        "TOLLBOOK_DATA_DIR": folder,
        "TOLLBOOK_API_BIND": f"127.0.0.1:{port}",
        "TOLLBOOK_RATE_LIMIT": "1000000",
        "TOLLBOOK_LOG_LEVEL": "error",
    }
    server = subprocess.Popen([TOLLBOOK, "serve"], env=environment)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait(30)


def in_turn(*ways: Callable[[], object]) -> list[float]:
    """Time several ways in turn, again and again; return the median of each, in seconds."""
    taken: list[list[float]] = [[] for _ in ways]
    for turn in range(ROUNDS + 1):
        for way, times in zip(ways, taken, strict=True):
            begun = time.perf_counter()
            way()
            if turn:  # the first turn warms up
                times.append(time.perf_counter() - begun)
    return [statistics.median(times) for times in taken]


def copied(connection: Connection) -> None:
    """Read the page by COPY."""
    with connection.cursor().copy(_COPY) as copy:
        for _ in copy:
            pass


def deep_cursor(client: Client) -> str:
    """Walk to page 1,000; return the part of the query that asks for it."""
    cursor = ""
    for _ in range(DEPTH - 1):
        answer, _ = client.get(f"format=csv&limit={DEPTH_PAGE}{cursor}")
        cursor = f"&cursor={answer.headers['X-Next-Cursor']}"
    return cursor


def p99(times: list[float]) -> float:
    """Return the 99th percentile."""
    return sorted(times)[int(len(times) * 0.99)]


def written(connection: Connection, prefix: str) -> list[float]:
    """Write calls singly, as a quiet listener does; return how long each took to be visible, in seconds."""
    times: list[float] = []
    for number in range(WRITTEN):
        busy = call(f"{prefix}{number}", ACME, START + number, **BUSY)
        begun = time.perf_counter()
        call_rows.upsert(connection, [busy])
        times.append(time.perf_counter() - begun)
        time.sleep(0.003)
    return times


@contextlib.contextmanager
def hanging(port: int, key: str, connection: Connection) -> Iterator[None]:
    """Ask for large pages on many connections and read none; yield once the server has made the responses."""
    request = f"GET /v1/calls?limit={PAGE} HTTP/1.1\r\nHost: x\r\nx-api-key: {key}\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        for _ in range(HANGING):
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect(("127.0.0.1", port))
            one.sendall(request)
        held = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tollbook serve' AND state <> 'idle'"
        time.sleep(0.5)
        while connection.execute(held).fetchone() != (0,):
            time.sleep(0.05)
        yield


def load(port: int, key: str) -> None:
    """Print what wrk measures for a page of 100 rows."""
    if not shutil.which("wrk"):
        print("  requests a second: not measured, for there is no wrk (apt-get install wrk)")
        return
    command = ["wrk", "-t1", "-c16", "-d10", "--latency", "-H", f"x-api-key: {key}"]
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{port}/v1/calls?limit=100"], capture_output=True, text=True, timeout=60
    )
    told = {line.split()[0]: line.split()[-1] for line in done.stdout.splitlines() if line.strip()}
    assert "Non-2xx" not in told, done.stdout
    print(f"  wrk, 16 connections, 100 rows: {told['Requests/sec:']} requests/s, p50 {told['50%']}, p99 {told['99%']}")


def run() -> None:
    """Print the figures."""
    print(f"api: {CALLS:,} calls of {ACCOUNTS} accounts over {DAYS} days")
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tollbook-"))
        url = stack.enter_context(embedded_postgres(Path(folder)))
        upgrade(url)
        connection = stack.enter_context(connect(url, name="bench", autocommit=True))
        days = range(START // MS_PER_DAY, START // MS_PER_DAY + DAYS + 1)
        Partitions().ensure(connection, call_days=days, leg_days=())
        step = DAYS * MS_PER_DAY // CALLS
        connection.execute(_FILL, {"accounts": ACCOUNTS, "start": START, "step": step, "calls": CALLS})
        connection.execute("VACUUM ANALYZE call_cdr")
        tariffs.add_account(connection, tariffs.Account(account_id=ACME, name=ACME, plan_id=None))
        key = keys.create(connection, account_id=ACME, scopes=["cdr"])[1]
        port = stack.enter_context(serving(url, folder))
        client = Client(port, key)

        copy, page, json = in_turn(
            lambda: copied(connection),
            lambda: client.get(f"format=csv&limit={PAGE}"),
            lambda: client.get(f"limit={PAGE}"),
        )
        print(
            f"  page of {PAGE:,} rows over HTTP: CSV {copy / page:.2f} x of COPY (to reach 0.5), JSON {copy / json:.2f}"
        )
        deep = deep_cursor(client)
        first, last = in_turn(
            lambda: client.get(f"format=csv&limit={DEPTH_PAGE}"),
            lambda: client.get(f"format=csv&limit={DEPTH_PAGE}{deep}"),
        )
        print(f"  page {DEPTH:,} of {DEPTH_PAGE} rows: {last / first:.2f} x page 1 (to stay under: 1.2)")
        load(port, key)
        idle = p99(written(connection, "idle"))
        with hanging(port, key, connection):
            hung = p99(written(connection, "hung"))
        print(f"  a row visible, p99, while {HANGING} exports hang: {hung / idle:.2f} x of idle (to stay under: 2)")
