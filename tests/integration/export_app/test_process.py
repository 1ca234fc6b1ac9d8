"""`tollbook serve` and `tollbook key` as processes, as an operator runs them."""

import gzip
import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from export_app.server.bind import UNREAD_TIMEOUT_S
from export_app.server.http_server import THREADS
from tests.api_server import TIMEOUT_S, ApiServer, serving
from tests.commands import Done, Tollbook, environment, free_port, run_installed
from tests.databases import store
from tests.factories import BUSY, START_MS, call
from tests.waiting import wait_until
from tollbook.setting_values import Bind
from tollbook.store import keys
from tollbook.store.database import Connection, scalar
from tollbook.store.tariffs import tariffs


@pytest.fixture
def served(database_url: str, tmp_path: Path) -> Iterator[ApiServer]:
    """A `tollbook serve` that answers requests, killed after the test."""
    with serving(database_url, tmp_path / "serve.log") as server:
        yield server


def fill(connection: Connection, count: int) -> list[str]:
    """Store calls of acme, several in one millisecond; return their ids, newest first."""
    connection.autocommit = True
    tariffs.add_account(connection, tariffs.Account(account_id="acme", name="Acme", plan_id=None))
    calls = [call(f"c{n:05}", start_ts=START_MS + n // 7 * 1000, **BUSY) for n in range(count)]
    store(connection, *calls)
    return [row.call_id for row, _ in sorted(calls, key=lambda call: call[0].key, reverse=True)]


def test_from_a_key_to_the_last_page(served: ApiServer, tollbook: Tollbook, database: Connection) -> None:
    """A new key reads every page, in JSON and CSV, and the log contains neither the key nor a query string."""
    ids = fill(database, 3000)
    key = tollbook("key", "create", "--account", "acme").stdout.strip()
    found: list[str] = []
    path = "/v1/calls?limit=123"
    while path:
        answer, body = served.get(path, key)
        assert answer.status == 200, body
        page = json.loads(body)
        found += [row["call_id"] for row in page["rows"]]
        path = f"/v1/calls?limit=123&cursor={page['next_cursor']}" if "next_cursor" in page else ""
    assert found == ids
    answer, body = served.get("/v1/calls?format=csv&limit=10", key)
    assert (answer.status, body.count(b"\r\n")) == (200, 11)
    assert answer.headers["X-Next-Cursor"]
    served.get(f"/v1/calls?key={key}")
    assert "GET path=/v1/calls status=200" in served.output
    assert "limit=123" not in served.output
    assert "sk_" not in served.output


def test_a_browser_gets_the_dashboard_and_its_files(served: ApiServer) -> None:
    """Files that the server sends itself are sent whole to a client that accepts gzip, as every browser does."""
    for path, text in (("/", b"<!doctype html>"), ("/assets/app.js", b"import "), ("/v1/docs/", b"<!doctype html>")):
        answer, body = served.get(path, headers={"Accept-Encoding": "gzip"})
        assert answer.status == 200
        assert text in (gzip.decompress(body) if answer.headers["Content-Encoding"] == "gzip" else body)


def test_sigterm_ends_after_the_requests_under_way(served: ApiServer, database: Connection) -> None:
    """On SIGTERM a running request gets its whole response, the process ends with 0, and nothing listens any more."""
    secret = keys.create(database, account_id=None, scopes=["operator"])[1]
    database.execute("LOCK TABLE api_key IN ACCESS EXCLUSIVE MODE")  # the request waits until we commit
    answers: list[int] = []
    asking = threading.Thread(target=lambda: answers.append(served.get("/v1/whoami", secret)[0].status))
    asking.start()
    wait_until(lambda: scalar(database, "SELECT count(*) FROM pg_locks WHERE NOT granted") == 1)
    served.process.send_signal(signal.SIGTERM)
    served.wait_for("stopping")
    assert answers == []
    assert served.process.poll() is None
    database.commit()
    asking.join(TIMEOUT_S)
    assert answers == [200]
    assert served.process.wait(TIMEOUT_S) == 0
    with pytest.raises(ConnectionRefusedError):
        served.get("/healthz")


def test_ctrl_c_ends_it_too(served: ApiServer) -> None:
    """Ctrl-C ends the process with 0 and without a traceback."""
    assert served.stop(signal.SIGINT) == 0
    assert "Traceback" not in served.output


def test_it_tells_systemd_when_it_listens(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd's READY comes from the started process, when the socket accepts connections."""
    path = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(TIMEOUT_S)
        server = ApiServer(database_url, tmp_path / "serve.log")
        try:
            assert notify.recv(1000).startswith(b"READY=1")
            server.get("/healthz")
        finally:
            server.stop()


def test_clients_that_do_not_read_do_not_stop_it(served: ApiServer, database: Connection) -> None:
    """More clients that read nothing than there are threads are disconnected, while others are still served."""
    fill(database, 10_000)
    secret = keys.create(database, account_id="acme", scopes=["cdr"])[1]
    database.commit()
    request = f"GET /v1/calls?limit=10000 HTTP/1.1\r\nHost: x\r\nx-api-key: {secret}\r\n\r\n".encode()
    hanging = [socket.socket() for _ in range(THREADS + 4)]
    try:
        for client in hanging:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", served.port))
            client.sendall(request)
        assert served.get("/healthz")[0].status == 200
        served.wait_for("cut off a client", 1.5 * UNREAD_TIMEOUT_S)
    finally:
        for client in hanging:
            client.close()


def one_line(done: Done, code: int) -> str:
    """Check a failed start: this exit code, and one line on standard error and nothing else; return it."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("tollbook: ")
    return done.stderr


@pytest.fixture
def refused_start(database_url: str, tmp_path: Path) -> Callable[..., str]:
    """Run a `tollbook serve` that must not start; return the one line that it says, and check its exit code."""

    def run(code: int, **changed: str) -> str:
        settings = {"database_url": database_url, "api_bind": f"127.0.0.1:{free_port()}"} | changed
        return one_line(run_installed(["serve"], environment(**settings), tmp_path), code)

    return run


def test_a_busy_port_is_one_line(refused_start: Callable[..., str]) -> None:
    """A busy port ends the start with one line that names the setting."""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        bind = Bind(host="127.0.0.1", port=busy.getsockname()[1])
        message = refused_start(78, api_bind=str(bind))
    assert f"TOLLBOOK_API_BIND={bind}: Address already in use" in message


@pytest.mark.parametrize(
    ("changed", "code", "message"),
    [
        ({"database_url": "postgresql://x@127.0.0.1:1/x"}, 75, "check TOLLBOOK_DATABASE_URL"),
        ({"api_bind": "192.0.2.1:80"}, 78, "TOLLBOOK_API_BIND=192.0.2.1:80: Cannot assign"),
        ({"api_bind": "no.invalid:80"}, 78, "TOLLBOOK_API_BIND=no.invalid:80: "),
    ],
)
def test_an_impossible_start_is_one_line(
    refused_start: Callable[..., str], changed: dict[str, str], code: int, message: str
) -> None:
    """An impossible start ends with one line that says what to do, and no traceback."""
    assert message in refused_start(code, **changed)


def test_a_database_that_refuses_is_one_line(refused_start: Callable[..., str], database_url: str) -> None:
    """A role that does not exist ends the start with one line that names it."""
    assert "nobody_here" in refused_start(75, database_url=database_url.replace("postgres@", "nobody_here@"))


def test_an_empty_database_is_one_line(refused_start: Callable[..., str], postgres_url: str) -> None:
    """A database without the schema ends the start with one line that names `tollbook db upgrade`."""
    assert "tollbook db upgrade" in refused_start(75, database_url=postgres_url)


def test_keys_are_created_listed_and_revoked(tollbook: Tollbook, database: Connection) -> None:
    """create prints only the key on standard output; afterwards only its beginning is ever shown."""
    database.autocommit = True
    tariffs.add_account(database, tariffs.Account(account_id="acme", name="Acme", plan_id=None))
    made = tollbook("key", "create", "--account", "acme", "--scope", "cdr")
    operator = tollbook("key", "create", "--operator")
    tollbook("key", "create", "--account", "acme", "--scope", "queues", "--scope", "numbers")
    tollbook("key", "create", "--account", "acme", "--scope", "cdr", "--scope", "*")
    assert made.stdout.startswith("sk_")
    assert len(made.stdout.strip()) == 46
    assert "key 1" in made.stderr
    listed = tollbook("key", "list").stdout
    assert [line.split("\t")[:4] for line in listed.splitlines()] == [
        ["key", "begins", "account", "scopes"],
        ["1", made.stdout[:8], "acme", "cdr"],
        ["2", operator.stdout[:8], "*", "operator"],
        ["3", listed.splitlines()[3].split("\t")[1], "acme", "queues,numbers"],
        ["4", listed.splitlines()[4].split("\t")[1], "acme", "*"],
    ]
    assert made.stdout.strip() not in listed
    assert "is revoked" in tollbook("key", "revoke", "1").stdout
    assert tollbook("key", "list").stdout.splitlines()[1].split("\t")[6] != "-"


def test_keys_are_rotated_and_logged(tollbook: Tollbook, database: Connection) -> None:
    """rotate prints the new key alone on standard output, and until when the old one is valid; log has both."""
    database.autocommit = True
    made = tollbook("key", "create", "--operator", "--days", "30")
    assert "and expires at 20" in made.stderr
    rotated = tollbook("key", "rotate", "1", "--overlap", "3")
    assert rotated.stdout.startswith("sk_")
    assert "key 1 (sk_" in rotated.stderr
    assert "valid until 20" in rotated.stderr
    lines = [line.split("\t") for line in tollbook("key", "log").stdout.splitlines()]
    assert lines[0] == ["time", "key", "begins", "account", "event", "by", "note"]
    assert [(line[1], line[4]) for line in lines[1:]] == [("2", "created"), ("1", "rotated"), ("1", "created")]
    assert all("@" in line[5] for line in lines[1:])
    listed = [line.split("\t") for line in tollbook("key", "list").stdout.splitlines()]
    assert listed[0][8] == "expires"
    assert [line[8][:2] for line in listed[1:]] == ["20", "20"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rotate", "77"], "tollbook key list"),
        (["create"], "--account ACCOUNT or --operator"),
        (["create", "--account", "acme", "--operator"], "--account ACCOUNT or --operator"),
        (["create", "--operator", "--scope", "cdr"], "leave --scope out"),
        (["create", "--account", "nobody"], "tollbook account add nobody"),
        (["revoke", "77"], "tollbook key list"),
    ],
)
def test_a_wrong_key_command_says_what_to_do(tollbook: Tollbook, arguments: list[str], message: str) -> None:
    """A wrong `tollbook key` command ends with exit code 64 and says what to do."""
    assert message in one_line(tollbook("key", *arguments), 64)
