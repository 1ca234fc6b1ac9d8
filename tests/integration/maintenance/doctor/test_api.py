"""`tollbook doctor` asks the API, and says what is wrong with it: nobody there, somebody else, no database, a hang."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psycopg
from psycopg import sql

from tests.api_server import serving
from tests.commands import Tollbook, free_port
from tests.databases import NewDatabase
from tests.integration.maintenance.doctor.test_cli import examined
from tests.waiting import wait_until
from tollbook.database_url import connection_parameters
from tollbook.store.database import connect


def test_nobody_listens(tollbook: Tollbook) -> None:
    """A warning, since the API may be meant to run elsewhere; the address is the one at which it was looked for."""
    port = free_port()
    _, found = examined(tollbook("doctor", "--json", api_bind=f"0.0.0.0:{port}"))
    assert found["API"]["status"] == "WARN"
    assert found["API"]["found"] == f"nobody listens on http://127.0.0.1:{port}: connection refused"


def test_it_accepts_and_never_answers(tollbook: Tollbook) -> None:
    """As a process does that hangs, or is stopped."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        _, found = examined(tollbook("doctor", "--json", api_bind=f"127.0.0.1:{port}"))
    assert found["API"]["status"] == "FAIL"
    assert found["API"]["found"] == f"http://127.0.0.1:{port}/healthz: did not answer within 3 s"


def test_another_program_has_its_address(tollbook: Tollbook) -> None:
    """It answers, and not as Tollbook does."""
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        _, found = examined(tollbook("doctor", "--json", api_bind=f"127.0.0.1:{other.server_port}"))
        other.shutdown()
    assert found["API"]["status"] == "FAIL"
    assert found["API"]["found"].endswith("answers with 501, and not as Tollbook does")
    assert found["API"]["commands"] == [f"ss -ltnp 'sport = :{other.server_port}'"]


def test_its_database_is_of_another_version(tollbook: Tollbook, new_database: NewDatabase, tmp_path: Path) -> None:
    """It is alive, and says what it says to everybody: 503."""
    with new_database() as url, serving(url, tmp_path / "serve.log") as server:
        bind = f"127.0.0.1:{server.port}"
        _, found = examined(tollbook("doctor", "--json", api_bind=bind))
        assert found["API"]["status"] == "OK"
        with psycopg.connect(url) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '0001'")
        _, found = examined(tollbook("doctor", "--json", api_bind=bind))
        assert found["API"]["status"] == "FAIL"
        assert "is alive and cannot serve: /readyz: 503, the database is unavailable" in found["API"]["found"]


def test_its_database_refuses_it(
    tollbook: Tollbook, new_database: NewDatabase, postgres_url: str, tmp_path: Path
) -> None:
    """It says so before the doctor, or a load balancer, would take it for a process that hangs."""
    with new_database() as url, serving(url, tmp_path / "serve.log") as server:
        wait_until(lambda: server.get("/readyz")[0].status == 200)
        with connect(postgres_url, name="test", autocommit=True) as outside:
            name = str(connection_parameters(url, name="test")["dbname"])
            outside.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
            outside.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (name,))
        _, found = examined(tollbook("doctor", "--json", api_bind=f"127.0.0.1:{server.port}"))
        assert "is alive and cannot serve: /readyz: 503, the database is unavailable" in found["API"]["found"]
