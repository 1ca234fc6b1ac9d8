"""A running server: its responses against its own OpenAPI document, and clients that hang."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.api_server import ApiServer, serving
from tests.commands import BIN
from tests.endpoints import add_endpoint
from tests.factories import START_MS
from tests.waiting import wait_until
from tollbook.store.database import Connection, scalar
from tollbook.store.days.partitions import Partitions
from tollbook.times import MS_PER_DAY

Put = Callable[..., None]


@pytest.fixture
def served(database_url: str, accounts: Connection, tmp_path: Path) -> Iterator[ApiServer]:
    """A `tollbook serve`; afterwards it is gone."""
    with serving(database_url, tmp_path / "serve.log", rate_limit="1000000", trusted_proxies="127.0.0.1") as server:
        yield server


@pytest.fixture
def filled(accounts: Connection) -> Connection:
    """10,000 calls of acme, and an endpoint of operators to which all is delivered at once."""
    add_endpoint(accounts, None)
    accounts.execute(
        "CREATE FUNCTION delivered() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        "CREATE TRIGGER delivered BEFORE INSERT ON event_delivery FOR EACH ROW EXECUTE FUNCTION delivered()"
    )
    Partitions().ensure(accounts, call_days=[START_MS // MS_PER_DAY], leg_days=())
    accounts.execute(
        """
        INSERT INTO call_cdr (call_id, account_id, direction, from_num, to_num, start_ts, end_ts, duration_sec, billsec,
                              answered, disposition, cost_micros, switch, revision)
        SELECT md5(n::text), 'acme', 'outbound', '1001', '+49' || n, %s + n, 1, 0, 0, 0, 'failed', 0, 'fs1', 1
        FROM generate_series(0, 9999) AS n
        """,
        (START_MS,),
    )
    return accounts


@pytest.mark.parametrize("examples", [8, pytest.param(50, marks=pytest.mark.soak)])
def test_responses_match_the_openapi_document(
    served: ApiServer, filled: Connection, operator_key: str, tmp_path: Path, examples: int
) -> None:
    """schemathesis, with all its checks, finds no response that the OpenAPI document does not describe."""
    done = subprocess.run(
        [
            BIN / "st", "run", f"{served.url}/v1/openapi.json", "--header", f"x-api-key: {operator_key}",
            "--checks", "all", "--max-examples", str(examples), "--continue-on-failure", "--no-color",
            "--generation-database", "none", "--seed", "1",
        ],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent), "SCHEMATHESIS_HOOKS": "contract_hooks"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout, done.stdout


def test_hanging_exports_block_neither_writers_nor_readers(
    served: ApiServer, filled: Connection, key: str, put: Put
) -> None:
    """While 50 clients ask for pages and read nothing, rows are written, connections are free, others are served."""
    request = f"GET /v1/calls?limit=10000 HTTP/1.1\r\nHost: x\r\nx-api-key: {key}\r\n\r\n".encode()
    hanging = [socket.socket() for _ in range(50)]
    try:
        for client in hanging:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", served.port))
            client.sendall(request)
        for number in range(200):
            put(f"new{number}", start_ts=START_MS + number)
        assert filled.execute("SELECT count(*) FROM call_cdr WHERE call_id LIKE 'new%'").fetchone() == (200,)
        held = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tollbook serve' AND state <> 'idle'"
        wait_until(lambda: scalar(filled, held) == 0, what=lambda: "a client that does not read holds a connection")
        assert served.get("/healthz")[0].status == 200
    finally:
        for client in hanging:
            client.close()
