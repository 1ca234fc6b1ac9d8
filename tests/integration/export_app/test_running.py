"""A running server: its responses against its own OpenAPI document, and clients that hang."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions
from tollbook.times import MS_PER_DAY

START = 1_790_000_000_000
DEADLINE_S = 30.0
BIN = Path(sys.executable).parent

Put = Callable[..., None]


def status(port: int, path: str) -> int:
    """Return the status of a path, requested on a connection of its own."""
    connection = HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.fixture
def port(database_url: str, accounts: Connection, tmp_path: Path) -> Iterator[int]:
    """The port of a `tollbook serve`, ended after the test."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    settings = {name: value for name, value in os.environ.items() if not name.startswith("TOLLBOOK_")} | {
        "TOLLBOOK_DATABASE_URL": database_url,
        "TOLLBOOK_API_BIND": f"127.0.0.1:{port}",
        "TOLLBOOK_RATE_LIMIT": "1000000",
    }
    log = tmp_path / "serve.log"
    with log.open("wb") as file:
        process = subprocess.Popen([BIN / "tollbook", "serve"], env=settings, stdout=file, stderr=file)
    try:
        deadline = time.monotonic() + DEADLINE_S
        while True:
            try:
                assert status(port, "/healthz") == 200
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield port
        assert "Traceback" not in log.read_text()
    finally:
        process.terminate()
        process.wait(DEADLINE_S)


@pytest.fixture
def filled(accounts: Connection) -> Connection:
    """10,000 calls of acme."""
    Partitions().ensure(accounts, call_days=[START // MS_PER_DAY], leg_days=())
    accounts.execute(
        """
        INSERT INTO call_cdr (call_id, account_id, direction, from_num, to_num, start_ts, end_ts, duration_sec, billsec,
                              answered, disposition, cost_micros, switch, revision)
        SELECT md5(n::text), 'acme', 'outbound', '1001', '+49' || n, %s + n, 1, 0, 0, 0, 'failed', 0, 'fs1', 1
        FROM generate_series(0, 9999) AS n
        """,
        (START,),
    )
    return accounts


def test_responses_match_the_openapi_document(port: int, filled: Connection, operator_key: str, tmp_path: Path) -> None:
    """schemathesis, with all its checks, finds no response that the OpenAPI document does not describe."""
    done = subprocess.run(
        [
            BIN / "st", "run", f"http://127.0.0.1:{port}/v1/openapi.json", "--header", f"x-api-key: {operator_key}",
            "--checks", "all", "--max-examples", "8", "--continue-on-failure", "--no-color", "--generation-database",
            "none", "--seed", "1",
        ],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent), "SCHEMATHESIS_HOOKS": "contract_hooks"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout


def test_hanging_exports_block_neither_writers_nor_readers(port: int, filled: Connection, key: str, put: Put) -> None:
    """While 50 clients ask for pages and read nothing, rows are written, connections are free, others are served."""
    request = f"GET /v1/calls?limit=10000 HTTP/1.1\r\nHost: x\r\nx-api-key: {key}\r\n\r\n".encode()
    hanging = [socket.socket() for _ in range(50)]
    try:
        for client in hanging:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            client.sendall(request)
        for number in range(200):
            put(f"new{number}", start_ts=START + number)
        assert filled.execute("SELECT count(*) FROM call_cdr WHERE call_id LIKE 'new%'").fetchone() == (200,)
        held = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tollbook serve' AND state <> 'idle'"
        deadline = time.monotonic() + DEADLINE_S
        while filled.execute(held).fetchone() != (0,):
            assert time.monotonic() < deadline, "a client that does not read holds a connection"
            time.sleep(0.05)
        assert status(port, "/healthz") == 200
    finally:
        for client in hanging:
            client.close()
