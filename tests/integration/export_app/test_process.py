"""`tollbook serve` and `tollbook key` as processes, as an operator runs them."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from export_app.server.bind import UNREAD_TIMEOUT_S
from export_app.server.process import THREADS, WORKERS
from tollbook.config import Bind
from tollbook.model.charge import Price
from tollbook.model.record import Row
from tollbook.store import keys
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY

TOLLBOOK = Path(sys.executable).with_name("tollbook")
START = 1_790_000_000_000
DEADLINE_S = 60.0

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@pytest.fixture
def environment(database_url: str) -> dict[str, str]:
    """The settings of a process, with a port of its own."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TOLLBOOK_")}
    return {**ours, "TOLLBOOK_DATABASE_URL": database_url, "TOLLBOOK_API_BIND": f"127.0.0.1:{free_port()}"}


@pytest.fixture
def run(environment: Mapping[str, str]) -> Run:
    """Return a function that runs a command to its end."""

    def run_command(*arguments: str, **changed: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [TOLLBOOK, *arguments],
            env={**environment, **changed},
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    return run_command


class Served:
    """A running `tollbook serve`, and its log."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self.port = int(environment["TOLLBOOK_API_BIND"].rpartition(":")[2])
        self._log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen([TOLLBOOK, "serve"], env=environment, stdout=file, stderr=file)

    def get(self, path: str, key: str | None = None) -> tuple[HTTPResponse, bytes]:
        """Request a path on a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            connection.request("GET", path, headers={} if key is None else {"x-api-key": key})
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def wait_until_up(self) -> None:
        """Wait for the first response."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            try:
                self.get("/healthz")
            except OSError:
                assert self.process.poll() is None, self.log()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            else:
                return

    def log(self) -> str:
        """Return what it has logged so far."""
        return self._log.read_text()


@pytest.fixture
def served(environment: Mapping[str, str], database: Connection, tmp_path: Path) -> Iterator[Served]:
    """A `tollbook serve` that answers requests, killed after the test."""
    server = Served(environment, tmp_path / "serve.log")
    try:
        server.wait_until_up()
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.process.wait(DEADLINE_S)


def fill(connection: Connection, count: int) -> list[str]:
    """Store calls of acme, several in one millisecond; return their ids, newest first."""
    connection.autocommit = True
    tariffs.add_account(connection, tariffs.Account(account_id="acme", name="Acme", plan_id=None))
    rows = [
        Row(
            switch="fs1", call_id=f"c{n:05}", account_id="acme", direction="outbound", from_num="1001",
            to_num="+4930123456", start_ts=START + n // 7 * 1000, answer_ts=None, end_ts=START + n // 7 * 1000 + 500,
            duration_sec=0, billsec=0, answered=0, disposition="busy", hangup_cause="USER_BUSY", queue_id=None,
            agent_id=None, estimated=False, parts=None,
        )
        for n in range(count)
    ]  # fmt: skip
    Partitions().ensure(connection, call_days={row.start_ts // MS_PER_DAY for row in rows}, leg_days=())
    call_rows.upsert(connection, [(row, Price(cost_micros=0, parts=())) for row in rows])
    return [row.call_id for row in sorted(rows, key=lambda row: (row.start_ts, row.call_id), reverse=True)]


def test_from_a_key_to_the_last_page(served: Served, run: Run, database: Connection) -> None:
    """A new key reads every page, in JSON and CSV, and the log contains neither the key nor a query string."""
    ids = fill(database, 3000)
    key = run("key", "create", "--account", "acme").stdout.strip()
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
    log = served.log()
    assert "GET path=/v1/calls status=200" in log
    assert "limit=123" not in log
    assert "sk_" not in log


def test_sigterm_ends_after_the_requests_under_way(served: Served, database: Connection) -> None:
    """On SIGTERM a running request gets its whole response, the process ends with 0, and nothing listens any more."""
    secret = keys.create(database, account_id=None, scopes=["operator"])[1]
    database.execute("LOCK TABLE api_key IN ACCESS EXCLUSIVE MODE")  # the request waits until we commit
    answers: list[int] = []
    asking = threading.Thread(target=lambda: answers.append(served.get("/v1/whoami", secret)[0].status))
    asking.start()
    time.sleep(0.5)
    served.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert served.process.poll() is None
    database.commit()
    asking.join(DEADLINE_S)
    assert answers == [200]
    assert served.process.wait(DEADLINE_S) == 0
    with pytest.raises(ConnectionRefusedError):
        served.get("/healthz")


def test_ctrl_c_ends_it_too(served: Served) -> None:
    """Ctrl-C ends the process with 0 and without a traceback."""
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(DEADLINE_S) == 0
    assert "Traceback" not in served.log()


def test_it_tells_systemd_when_it_listens(environment: dict[str, str], database: Connection, tmp_path: Path) -> None:
    """systemd's READY comes from the started process, when the socket accepts connections."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(DEADLINE_S)
        started = Served({**environment, "NOTIFY_SOCKET": path}, tmp_path / "serve.log")
        try:
            assert notify.recv(1000).startswith(b"READY=1")
            started.get("/healthz")
        finally:
            started.process.terminate()
            started.process.wait(DEADLINE_S)


def test_clients_that_do_not_read_do_not_stop_it(served: Served, database: Connection) -> None:
    """More clients that read nothing than there are threads are disconnected, while others are still served."""
    fill(database, 10_000)
    secret = keys.create(database, account_id="acme", scopes=["cdr"])[1]
    database.commit()
    request = f"GET /v1/calls?limit=10000 HTTP/1.1\r\nHost: x\r\nx-api-key: {secret}\r\n\r\n".encode()
    hanging = [socket.socket() for _ in range(WORKERS * THREADS + 4)]
    try:
        for client in hanging:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", served.port))
            client.sendall(request)
        time.sleep(1)
        assert served.get("/healthz")[0].status == 200
        deadline = time.monotonic() + 1.5 * UNREAD_TIMEOUT_S
        while "cut off a client" not in served.log():
            assert time.monotonic() < deadline, served.log()
            time.sleep(0.2)
    finally:
        for client in hanging:
            client.close()
    assert "Traceback" not in served.log()


def one_line(done: "subprocess.CompletedProcess[str]", code: int) -> str:
    """Check a failed start: this exit code, and one line on standard error and nothing else; return it."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("tollbook: ")
    return done.stderr


def test_a_busy_port_is_one_line(run: Run) -> None:
    """A busy port ends the start with one line that names the setting."""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        bind = Bind(host="127.0.0.1", port=busy.getsockname()[1])
        message = one_line(run("serve", TOLLBOOK_API_BIND=str(bind)), 78)
    assert f"TOLLBOOK_API_BIND={bind}: Address already in use" in message


@pytest.mark.parametrize(
    ("changed", "code", "message"),
    [
        ({"TOLLBOOK_DATABASE_URL": "postgresql://x@127.0.0.1:1/x"}, 75, "check TOLLBOOK_DATABASE_URL"),
        ({"TOLLBOOK_API_BIND": "192.0.2.1:80"}, 78, "TOLLBOOK_API_BIND=192.0.2.1:80: Cannot assign"),
        ({"TOLLBOOK_API_BIND": "no.invalid:80"}, 78, "TOLLBOOK_API_BIND=no.invalid:80: "),
    ],
)
def test_an_impossible_start_is_one_line(run: Run, changed: dict[str, str], code: int, message: str) -> None:
    """An impossible start ends with one line that says what to do, and no traceback."""
    assert message in one_line(run("serve", **changed), code)


def test_a_database_that_refuses_is_one_line(run: Run, database_url: str) -> None:
    """A role that does not exist ends the start with one line that names it."""
    message = one_line(run("serve", TOLLBOOK_DATABASE_URL=database_url.replace("postgres@", "nobody_here@")), 75)
    assert "nobody_here" in message


def test_an_empty_database_is_one_line(run: Run, postgres_url: str) -> None:
    """A database without the schema ends the start with one line that names `tollbook db upgrade`."""
    assert "tollbook db upgrade" in one_line(run("serve", TOLLBOOK_DATABASE_URL=postgres_url), 75)


def test_keys_are_created_listed_and_revoked(run: Run, database: Connection) -> None:
    """create prints only the key on standard output; afterwards only its beginning is ever shown."""
    database.autocommit = True
    tariffs.add_account(database, tariffs.Account(account_id="acme", name="Acme", plan_id=None))
    made = run("key", "create", "--account", "acme", "--scope", "cdr")
    operator = run("key", "create", "--operator")
    assert made.stdout.startswith("sk_")
    assert len(made.stdout.strip()) == 46
    assert "key 1" in made.stderr
    listed = run("key", "list").stdout
    assert [line.split("\t")[:4] for line in listed.splitlines()] == [
        ["key", "begins", "account", "scopes"],
        ["1", made.stdout[:8], "acme", "cdr"],
        ["2", operator.stdout[:8], "*", "operator"],
    ]
    assert made.stdout.strip() not in listed
    assert "is revoked" in run("key", "revoke", "1").stdout
    assert run("key", "list").stdout.splitlines()[1].split("\t")[6] != "-"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create"], "--account ACCOUNT or --operator"),
        (["create", "--account", "acme", "--operator"], "--account ACCOUNT or --operator"),
        (["create", "--operator", "--scope", "cdr"], "leave --scope out"),
        (["create", "--account", "nobody"], "tollbook account add nobody"),
        (["revoke", "77"], "tollbook key list"),
    ],
)
def test_a_wrong_key_command_says_what_to_do(run: Run, arguments: list[str], message: str) -> None:
    """A wrong `tollbook key` command ends with exit code 64 and says what to do."""
    assert message in one_line(run("key", *arguments), 64)
