"""PostgreSQL goes away while calls are made: every call is there once and right when it is back."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, LiteralString
from urllib.request import urlopen

import psycopg
import pytest
from psycopg.rows import dict_row

from tollbook.demo.freshen import FreshCall
from tollbook.demo.recording import load
from tollbook.demo.thread import SwitchThread
from tollbook.embedded import embedded_postgres
from tollbook.model.row import COLUMNS
from tollbook.store.schema import upgrade

CALLS = Path(__file__).parents[1] / "data" / "esl" / "calls"
# A third of them, for each time that we play they are cut for copying. Without two whose number dialled names another
# call's id, which `FreshCall.rows` leaves as it was recorded.
NAMES = sorted(folder.name for folder in CALLS.iterdir() if folder.name not in ("eavesdrop", "pickup"))
RECORDINGS = [load(CALLS / name) for name in NAMES[::3]]
# A rule of the database's that a test can change its mind about.
TAKES = "CREATE OR REPLACE FUNCTION takes(uid text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT {} $$"

Start = Callable[..., Any]
Key = tuple[str, int]


class Server:
    """A PostgreSQL that goes away and comes back at the same address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: AbstractContextManager[str] | None = None
        self.url = f"postgresql://postgres@/postgres?host={folder / 'address'}"

    def start(self) -> None:
        if self._running is None:
            self._running = embedded_postgres(self._folder, fsync=False)
            url = self._running.__enter__()
            # Each start has its socket in another folder.
            (self._folder / "address").unlink(missing_ok=True)
            (self._folder / "address").symlink_to(url.partition("host=")[2])

    def stop(self) -> None:
        if self._running is not None:
            self._running.__exit__(None, None, None)
            self._running = None

    def crash(self) -> None:
        """What `pg_ctl -m immediate` does: no checkpoint, no goodbye."""
        self.signal(signal.SIGQUIT)
        self.stop()

    def signal(self, number: int) -> None:
        os.kill(self._pid, number)

    def processes(self) -> list[int]:
        """The process that takes connections, and the one that serves the listener's writer."""
        with psycopg.connect(self.url) as connection:
            found = connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'tollbook listen'")
            return [self._pid, *(pid for (pid,) in found)]

    @property
    def _pid(self) -> int:
        return int((self._folder / "postgresql" / "postmaster.pid").read_text().split()[0])

    def execute(self, command: LiteralString) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(command)

    def __getitem__(self, database: str) -> str:
        return self.url.replace("@/postgres?", f"@/{database}?")


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """A server of these tests' own: what they do to it is no other test's trouble."""
    folder = Path(tempfile.mkdtemp(prefix="tollbook-tests-"))
    server = Server(folder)
    server.start()
    server.execute("CREATE DATABASE migrated")
    upgrade(server["migrated"])
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def server(own_server: Server) -> Server:
    own_server.start()
    return own_server


@pytest.fixture
def database_url(server: Server, request: pytest.FixtureRequest) -> str:
    """A fresh, migrated database on the server that the test may take away."""
    name = f"t{abs(hash(request.node.name))}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE migrated")
    return server[name]


class Calls:
    """Calls that are played on a switch, and the rows that must come of them."""

    def __init__(self, switch: SwitchThread) -> None:
        self._switch = switch
        self.rows: dict[Key, dict[str, Any]] = {}

    def play(self, count: int, calls_per_s: float = 600) -> Any:
        """Begin `count` calls at a rate, each at a hundred times its recorded pace; give the future of their end."""
        return self._switch.start_playing_at_rate(
            RECORDINGS, calls_per_s=calls_per_s, count=count, speed=100, on_begin=self._note
        )

    def _note(self, call: FreshCall) -> None:
        self.rows.update({(row["call_id"], row["start_ts"]): row for row in call.rows})


def found(url: str) -> dict[Key, dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        rows = connection.execute("SELECT * FROM call_cdr").fetchall()
    return {
        (row["call_id"], row["start_ts"]): {
            **{column: row[column] for column in COLUMNS if column != "cost_micros"},
            "parts": [[part["direction"], part["number"], part["seconds"]] for part in row["parts"] or []],
        }
        for row in rows
    }


class Metrics:
    """What a listener tells Prometheus."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.bind = f"127.0.0.1:{free.getsockname()[1]}"

    def __getitem__(self, name: str) -> float:
        with urlopen(f"http://{self.bind}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        match = re.search(rf"^tollbook_{name} (\S+)$", text, re.MULTILINE)
        assert match, f"{name} is not in {text}"
        return float(match[1])

    def wait_until(self, name: str, holds: Callable[[float], bool], timeout_s: float = 30.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not holds(value := self[name]):
            assert time.monotonic() < deadline, f"tollbook_{name} is {value} after {timeout_s} s"
            time.sleep(0.05)

    def wait_until_spooled(self) -> None:
        """Wait until all that was sent has been read, and is on the disk."""
        events = -1.0
        while self["legs_waiting"] or events != self["events_total"]:
            events = self["events_total"]
            time.sleep(0.3)

    def wait_until_written(self) -> None:
        """Wait until nothing waits, in memory or on the disk."""
        self.wait_until("spool_bytes", lambda value: value == 0)
        self.wait_until("legs_waiting", lambda value: value == 0)


def ended(listener: Any) -> None:
    """SIGTERM, and an end in order."""
    assert listener.stop() == 0, listener.output
    assert "Traceback" not in listener.output


def test_down_and_the_listener_killed(start: Start, server: Server, database_url: str, tmp_path: Path) -> None:
    """Down while calls are made, the listener killed and started again meanwhile: all calls are right afterwards."""
    metrics = Metrics()
    with SwitchThread() as switch:
        calls = Calls(switch)
        listener = start("listen", esl=switch.url, metrics_bind=metrics.bind)
        switch.wait_for_subscriber(20)
        playing = calls.play(1_500)
        time.sleep(1)
        server.stop()
        listener.wait_for("legs wait on disk")
        playing.result(30)
        metrics.wait_until_spooled()
        assert metrics["legs_spooled_total"] > 1_000
        assert listener.stop(signal.SIGKILL) == -signal.SIGKILL
        listed = start("spool", "list")
        assert listed.process.wait(20) == 0
        assert re.search(r"^waiting: [1-9]\d+ legs in [1-9]\d+ records", listed.output, re.MULTILINE)
        listener = start("listen", esl=switch.url, metrics_bind=metrics.bind)
        listener.wait_for("starting while PostgreSQL is away")
        switch.wait_for_subscriber(20)
        calls.play(500).result(30)
        server.start()
        calls.play(500).result(30)
        listener.wait_for("PostgreSQL has taken what was spooled")
        metrics.wait_until_written()
        ended(listener)
    assert "everything written" in listener.output
    assert found(database_url) == calls.rows
    assert list((tmp_path / "data" / "spool").glob("*.spool")) == []


def test_a_crash_of_the_server(start: Start, server: Server, database_url: str) -> None:
    """PostgreSQL killed at full load and started again, twice."""
    metrics = Metrics()
    with SwitchThread() as switch:
        calls = Calls(switch)
        listener = start("listen", esl=switch.url, metrics_bind=metrics.bind)
        switch.wait_for_subscriber(20)
        playing = calls.play(1_600)
        for _ in range(2):
            time.sleep(0.5)
            server.crash()
            time.sleep(0.5)
            server.start()
        playing.result(30)
        metrics.wait_until_written()
        ended(listener)
    assert "PostgreSQL is not available" in listener.output
    assert found(database_url) == calls.rows


def test_a_signal_while_the_server_is_down(start: Start, server: Server, database_url: str) -> None:
    """SIGTERM during an outage: the process says what waits on the disk and ends with 0; the next start writes it."""
    with SwitchThread() as switch:
        calls = Calls(switch)
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(20)
        server.stop()
        calls.play(200).result(30)
        begun = time.monotonic()
        ended(listener)
        assert time.monotonic() - begun < 5
        assert "stopped, what PostgreSQL did not take waits on disk for the next start" in listener.output
        server.start()
        listener = start("listen", esl=switch.url)
        listener.wait_for("the last listener left legs on disk")
        listener.wait_for("PostgreSQL has taken what was spooled")
        ended(listener)
    assert found(database_url) == calls.rows


def test_a_read_only_server(start: Start, server: Server, database_url: str) -> None:
    """Read-only, as a standby is before it is promoted, and writable again."""
    metrics = Metrics()
    with SwitchThread() as switch:
        calls = Calls(switch)
        listener = start("listen", esl=switch.url, metrics_bind=metrics.bind)
        switch.wait_for_subscriber(20)
        server.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        server.execute("SELECT pg_reload_conf()")
        try:
            calls.play(200).result(30)
            listener.wait_for("legs wait on disk")
        finally:
            server.execute("ALTER SYSTEM RESET default_transaction_read_only")
            server.execute("SELECT pg_reload_conf()")
        metrics.wait_until_written()
        ended(listener)
    assert "read-only transaction" in listener.output
    assert found(database_url) == calls.rows


def test_a_lock_held_by_somebody(start: Start, server: Server, database_url: str) -> None:
    """A lock on the table for longer than we wait for one: an outage like any other."""
    metrics = Metrics()
    with SwitchThread() as switch, psycopg.connect(database_url) as somebody:
        calls = Calls(switch)
        listener = start("listen", esl=switch.url, metrics_bind=metrics.bind)
        switch.wait_for_subscriber(20)
        somebody.execute("LOCK TABLE call_cdr IN EXCLUSIVE MODE")
        calls.play(200).result(30)
        # Before the lock has failed: what waits behind a slow batch is on the disk already.
        metrics.wait_until("spool_bytes", lambda value: value > 0, timeout_s=3)
        listener.wait_for("canceling statement due to lock timeout")
        somebody.rollback()
        metrics.wait_until_written()
        ended(listener)
    assert found(database_url) == calls.rows


def test_a_server_that_hangs(start: Start, server: Server, database_url: str) -> None:
    """A server that stands still answers nobody, its own limits included. SIGTERM then ends in order all the same."""
    with SwitchThread() as switch:
        calls = Calls(switch)
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(20)
        standing = server.processes()
        for pid in standing:
            os.kill(pid, signal.SIGSTOP)
        try:
            calls.play(200).result(30)
            listener.wait_for("legs wait on disk")
            ended(listener)
        finally:
            for pid in standing:
                os.kill(pid, signal.SIGCONT)
        assert "what PostgreSQL did not take waits on disk" in listener.output
        listener = start("listen", esl=switch.url)
        listener.wait_for("PostgreSQL has taken what was spooled")
        ended(listener)
    assert found(database_url) == calls.rows


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path | None]:
    """A file system of 400 kB; None where we may not mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=400k", "tollbook-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True, check=False).returncode:
        yield None
        return
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("full", ["the bound", "the disk"])
def test_a_full_spool(start: Start, server: Server, database_url: str, small_disk: Path | None, full: str) -> None:
    """A spool that takes no more is an alarm; legs stay in memory, the reader goes on, and nothing is lost."""
    metrics = Metrics()
    settings = {"spool_max": "300K"}
    if full == "the disk" and small_disk:
        settings = {"data_dir": str(small_disk)}
    with SwitchThread() as switch:
        calls = Calls(switch)
        listener = start("listen", esl=switch.url, metrics_bind=metrics.bind, **settings)
        switch.wait_for_subscriber(20)
        server.stop()
        calls.play(300).result(30)
        listener.wait_for("nothing can be spooled: ")
        assert metrics["spool_full"] == 1
        assert metrics["spool_bytes"] <= 400 * 1024
        calls.play(100).result(30)
        assert metrics["legs_waiting"] > 0
        server.start()
        metrics.wait_until_written()
        metrics.wait_until("spool_full", lambda value: value == 0)
        ended(listener)
    assert found(database_url) == calls.rows


def test_a_refused_leg_waits_for_a_retry(start: Start, server: Server, database_url: str, tmp_path: Path) -> None:
    """A leg that PostgreSQL refuses is set aside with its reason, alone, and written once it is taken."""
    refused, taken = (load(CALLS / name) for name in ("outbound_answered", "answer_caller_hangs_up"))
    (row,) = refused.rows
    with psycopg.connect(database_url) as connection:
        connection.execute(TAKES.format(f"uid <> '{row['call_id']}'"))
        connection.execute("ALTER TABLE call_leg ADD CHECK (takes(uid))")
    with SwitchThread() as switch:
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(20)
        switch.play([refused, taken], verbatim=True)
        listener.wait_for("a leg was set aside")
        ended(listener)
    before = found(database_url)
    assert {call_id for call_id, _ in before} >= {row["call_id"] for row in taken.rows}
    assert before.get((row["call_id"], row["start_ts"])) != row  # its other leg has named it, and knows little

    listed = start("spool", "list")
    assert listed.process.wait(20) == 0
    assert f"fs-lab {row['call_id']}  PostgreSQL refuses a value (23514)" in listed.output
    retried = start("spool", "retry")
    assert retried.process.wait(20) == 65
    assert re.search(r"written: 0, still set aside: [1-9]", retried.output)

    with psycopg.connect(database_url) as connection:
        connection.execute(TAKES.format("true"))
    retried = start("spool", "retry")
    assert retried.process.wait(20) == 0, retried.output
    assert re.search(r"written: [1-9]\d*, still set aside: 0", retried.output)
    assert found(database_url)[row["call_id"], row["start_ts"]] == row
    assert list((tmp_path / "data" / "set-aside").iterdir()) == []


def test_two_listeners_on_one_data_directory_have_a_spool_each(start: Start, server: Server, tmp_path: Path) -> None:
    with SwitchThread() as switch:
        listeners = [start("listen", esl=switch.url) for _ in range(2)]
        for listener in listeners:
            listener.wait_for("listening")
        for listener in listeners:
            ended(listener)
    assert {path.name for path in (tmp_path / "data").iterdir()} >= {"spool", "spool-2"}
