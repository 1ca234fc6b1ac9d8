"""The API: pages against COPY, deep pages against the first, requests a second, and rows written while exports hang.

Ratios are of medians; the two sides are timed in turn, so that other work on the machine slows both.
"""

import contextlib
import csv
import io
import shutil
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPMessage

import msgspec

from benchmarks.database import database, fill_calls
from benchmarks.figure import TIMES, Figure, at_least, at_most, medians, seconds
from benchmarks.processes import running
from tests.factories import BUSY, call
from tollbook.model.record import COLUMNS
from tollbook.store import keys
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection, connect
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY

_START = 1_790_000_000_000
_DAYS = 10
_ACCOUNTS = 10
_ACCOUNT = "account3"
_OTHER = "account4"
_GREEDY = 16
_TIMEOUT_S = 30.0
_CLIENTS = 8
_SMALL_ROWS = 100


class Client:
    """Reads the API with a key, on a new connection for each request."""

    def __init__(self, port: int, key: str) -> None:
        self._port, self._headers = port, {"x-api-key": key}

    def get(self, query: str) -> tuple[HTTPMessage, bytes]:
        """Return headers and body of a page; raises AssertionError unless it is there."""
        with contextlib.closing(HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_S)) as connection:
            connection.request("GET", f"/v1/calls?{query}", headers=self._headers)
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, body
            return response.headers, body

    def wait_until_up(self) -> None:
        """Wait for the first page."""
        deadline = time.monotonic() + _TIMEOUT_S
        while True:
            try:
                self.get("limit=1")
            except OSError:
                assert time.monotonic() < deadline, "tollbook serve did not come up"
                time.sleep(0.05)
            else:
                return

    def page_after(self, pages: int, limit: int) -> str:
        """Walk `pages` pages; return the query for the next one, without the limit and the format."""
        cursor = ""
        for _ in range(pages):
            cursor = f"&cursor={self.get(f'format=csv&limit={limit}{cursor}')[0]['X-Next-Cursor']}"
        return cursor


def _copy(connection: Connection, rows: int) -> bytes:
    """Read what a page has by COPY."""
    query = f"""
        COPY (
            SELECT {", ".join(COLUMNS)} FROM call_cdr WHERE account_id = '{_ACCOUNT}'
            ORDER BY start_ts DESC, call_id DESC, switch DESC LIMIT {rows}
        ) TO STDOUT (FORMAT csv, HEADER)
    """
    with connection.cursor().copy(query) as copy:
        return b"".join(copy)


def _check_pages(connection: Connection, client: Client, rows: int, cursor: str, depth: int, limit: int) -> None:
    """Raise AssertionError unless each page has the rows that PostgreSQL has."""
    expected = list(csv.reader(io.StringIO(_copy(connection, rows).decode())))
    page = client.get(f"format=csv&raw=1&limit={rows}")[1].decode()
    assert list(csv.reader(io.StringIO(page))) == expected
    found = msgspec.json.decode(client.get(f"limit={rows}")[1])["rows"]
    assert [[("" if row[name] is None else str(row[name])) for name in COLUMNS] for row in found] == expected[1:]
    deep = list(csv.reader(io.StringIO(_copy(connection, depth * limit).decode())))
    page = client.get(f"format=csv&raw=1&limit={limit}{cursor}")[1].decode()
    assert list(csv.reader(io.StringIO(page)))[1:] == deep[-limit:]


def _p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]


def _write(connection: Connection, prefix: str, count: int) -> list[float]:
    """Write calls singly, as a quiet listener does; return how long each took to be visible, in seconds."""
    times: list[float] = []
    for number in range(count):
        busy = [call(f"{prefix}{number}", _ACCOUNT, _START + number, **BUSY)]
        times.append(seconds(lambda busy=busy: call_rows.upsert(connection, busy)))
        time.sleep(0.003)
    return times


@contextlib.contextmanager
def _hanging(clients: int, port: int, key: str, rows: int) -> Iterator[None]:
    """Ask for large pages on many connections and read none of them; yield once each response has begun."""
    request = f"GET /v1/calls?limit={rows} HTTP/1.1\r\nHost: x\r\nx-api-key: {key}\r\n\r\n".encode()
    begun = b"HTTP/1.1 200"
    with contextlib.ExitStack() as stack:
        for _ in range(clients):
            client = stack.enter_context(socket.socket())
            client.settimeout(_TIMEOUT_S)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            client.sendall(request)
            # One after the other: more at once than an account's share are refused.
            assert client.recv(len(begun), socket.MSG_PEEK | socket.MSG_WAITALL) == begun
        yield


def _greedy(client: Client, port: int, greedy: str, query: str, rounds: int) -> float:
    """Return how much longer a page takes while another account's key asks for sums on 16 connections, all the time."""
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)) as connection:
                connection.request("GET", "/v1/stats?group_by=prefix", headers={"x-api-key": greedy})
                response = connection.getresponse()
                assert response.status in (200, 429), response.read()
                if response.status == 429:
                    stop.wait(float(response.headers.get("Retry-After", "0.1")))
                response.read()

    quiet_s = statistics.median(seconds(lambda: client.get(query)) for _ in range(rounds))
    with ThreadPoolExecutor(_GREEDY) as pool:
        asking = [pool.submit(ask) for _ in range(_GREEDY)]
        try:
            busy_s = statistics.median(seconds(lambda: client.get(query)) for _ in range(rounds))
        finally:
            stop.set()
        for one in asking:
            one.result()
    return busy_s / quiet_s


def _load(url: str, port: int, key: str, load_s: int) -> Iterator[Figure]:
    """Yield what wrk measures for a small page, against psycopg alone; nothing without wrk (Debian's package wrk).

    On 8 connections: an account may have two requests at work and eight that wait. Both sides in turn, three times.
    """
    if not shutil.which("wrk"):
        return
    command = ["wrk", "-t1", f"-c{_CLIENTS}", f"-d{load_s}", "--latency", "-H", f"x-api-key: {key}"]
    by_api: list[float] = []
    by_psycopg: list[float] = []
    printed: dict[str, str] = {}
    for _ in range(3):
        by_psycopg.append(_asked_a_second(url, load_s))
        done = subprocess.run(
            [*command, f"http://127.0.0.1:{port}/v1/calls?limit={_SMALL_ROWS}"],
            capture_output=True, text=True, timeout=load_s + 60, check=True,
        )  # fmt: skip
        assert "Non-2xx" not in done.stdout, done.stdout
        printed = {line.split()[0]: line.split()[-1] for line in done.stdout.splitlines() if line.strip()}
        by_api.append(float(printed["Requests/sec:"]))
    of = f"wrk -c{_CLIENTS}, {_SMALL_ROWS} rows"
    yield Figure(what=of, value=statistics.median(by_api), unit="requests/s")
    ratio = statistics.median(api / alone for api, alone in zip(by_api, by_psycopg, strict=True))
    yield Figure(what=f"{of}, against psycopg alone", value=ratio, unit=TIMES, bound=at_least(0.5))
    for percentile in ("50%", "99%"):
        yield Figure(what=f"{of}, {percentile}", value=_ms(printed[percentile]), unit="ms")


def _asked_a_second(url: str, load_s: int) -> float:
    """Return how often a second a small page's rows are read by psycopg alone, on as many connections.

    Planned each time, as by the API: a plan for any span of time reads other days, or sorts.
    """
    query = f"""
        SELECT {", ".join(COLUMNS)}, switch FROM call_cdr
        WHERE account_id = '{_ACCOUNT}' AND start_ts >= 0 AND start_ts < {_START + _DAYS * MS_PER_DAY}
        ORDER BY start_ts DESC, call_id DESC, switch DESC LIMIT {_SMALL_ROWS + 1}
    """.encode()
    until_s = time.monotonic() + load_s

    def ask() -> int:
        asked = 0
        with connect(url, name="bench", autocommit=True) as connection:
            while time.monotonic() < until_s:
                assert len(connection.execute(query, prepare=False).fetchall()) == _SMALL_ROWS + 1
                asked += 1
        return asked

    with ThreadPoolExecutor(_CLIENTS) as clients:
        return sum(asked.result() for asked in [clients.submit(ask) for _ in range(_CLIENTS)]) / load_s


def _ms(text: str) -> float:
    """Read a time as wrk writes it: 812.00us, 37.10ms, 1.20s."""
    factor, unit = next((factor, unit) for factor, unit in ((1e-3, "us"), (1, "ms"), (1e3, "s")) if text.endswith(unit))
    return float(text.removesuffix(unit)) * factor


def run(
    *,
    calls: int = 1_100_000,
    page_rows: int = 10_000,
    depth: int = 1_000,
    depth_rows: int = 100,
    rounds: int = 15,
    load_s: int = 10,
    hanging: int = 50,
    written: int = 400,
) -> Iterator[Figure]:
    """Yield the figures."""
    with contextlib.ExitStack() as stack:
        settings = stack.enter_context(database())
        url = settings.require_database_url()
        connection = stack.enter_context(connect(url, name="bench", autocommit=True))
        fill_calls(connection, calls, accounts=_ACCOUNTS, since=_START, span=_DAYS * MS_PER_DAY)
        tariffs.add_account(connection, tariffs.Account(account_id=_ACCOUNT, name=_ACCOUNT, plan_id=None))
        key = keys.create(connection, account_id=_ACCOUNT, scopes=["cdr"])[1]
        with socket.create_server(("127.0.0.1", 0)) as found:
            port = found.getsockname()[1]
        serve = {"database_url": url, "data_dir": str(settings.data_dir), "rate_limit": "1000000"}
        stack.enter_context(running("serve", api_bind=f"127.0.0.1:{port}", **serve))
        client = Client(port, key)
        client.wait_until_up()
        cursor = client.page_after(depth - 1, depth_rows)
        _check_pages(connection, client, page_rows, cursor, depth, depth_rows)

        copy_s, csv_s, json_s = medians(
            rounds,
            lambda: _copy(connection, page_rows),
            lambda: client.get(f"format=csv&limit={page_rows}"),
            lambda: client.get(f"limit={page_rows}"),
        )
        of = f"page of {page_rows:,} rows over HTTP"
        yield Figure(what=f"{of}, CSV, speed against COPY", value=copy_s / csv_s, unit=TIMES, bound=at_least(0.8))
        yield Figure(what=f"{of}, JSON, speed against COPY", value=copy_s / json_s, unit=TIMES)
        first_s, deep_s = medians(
            rounds,
            lambda: client.get(f"format=csv&limit={depth_rows}"),
            lambda: client.get(f"format=csv&limit={depth_rows}{cursor}"),
        )
        of = f"page {depth:,} of {depth_rows} rows, time against page 1"
        yield Figure(what=of, value=deep_s / first_s, unit=TIMES, bound=at_most(1.2))
        yield from _load(url, port, key, load_s)
        tariffs.add_account(connection, tariffs.Account(account_id=_OTHER, name=_OTHER, plan_id=None))
        greedy = keys.create(connection, account_id=_OTHER, scopes=["cdr"])[1]
        ratio = _greedy(client, port, greedy, f"limit={_SMALL_ROWS}", 4 * rounds)
        of = f"page of {_SMALL_ROWS} rows while another account asks for {_GREEDY} sums, time against quiet"
        yield Figure(what=of, value=ratio, unit=TIMES, bound=at_most(2))
        idle_s = _p99(_write(connection, "idle", written))
        with _hanging(hanging, port, key, page_rows):
            hung_s = _p99(_write(connection, "hung", written))
        of = f"a row visible, p99, while {hanging} exports hang, against idle"
        yield Figure(what=of, value=hung_s / idle_s, unit=TIMES, bound=at_most(2))
