"""PostgreSQL goes away while calls are made: every call is there once and right when it is back."""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from tollbook.demo.freshen import FreshCall
from tollbook.demo.recording import load
from tollbook.demo.thread import SwitchThread
from tollbook.model.row import COLUMNS
from tollbook.store.database import connect
from tollbook.store.partitions import make_ready

CALLS = Path(__file__).parents[1] / "data" / "esl" / "calls"
# A third of them, for each time that we play they are cut for copying. Without two whose number dialled names another
# call's id, which `FreshCall.rows` leaves as it was recorded.
NAMES = sorted(folder.name for folder in CALLS.iterdir() if folder.name not in ("eavesdrop", "pickup"))
RECORDINGS = [load(CALLS / name) for name in NAMES[::3]]
# A rule of the database's that a test can change its mind about.
TAKES = "CREATE OR REPLACE FUNCTION takes(uid text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT {} $$"

Start = Callable[..., Any]
Key = tuple[str, int]


@pytest.fixture
def database_url(server: Any, request: pytest.FixtureRequest) -> str:
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


def ended(listener: Any) -> None:
    """SIGTERM, and an end in order."""
    assert listener.stop() == 0, listener.output
    assert "Traceback" not in listener.output


def test_down_and_the_listener_killed(
    start: Start, server: Any, database_url: str, metrics: Any, tmp_path: Path
) -> None:
    """Down while calls are made, the listener killed and started again meanwhile: all calls are right afterwards."""
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


def test_a_crash_of_the_server(start: Start, server: Any, database_url: str, metrics: Any) -> None:
    """PostgreSQL killed at full load and started again, twice."""
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


def test_a_signal_while_the_server_is_down(start: Start, server: Any, database_url: str) -> None:
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


def test_a_read_only_server(start: Start, server: Any, database_url: str, metrics: Any) -> None:
    """Read-only, as a standby is before it is promoted, and writable again."""
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


def test_a_lock_held_by_somebody(start: Start, server: Any, database_url: str, metrics: Any) -> None:
    """A lock on the table for longer than we wait for one: an outage like any other."""
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


@contextmanager
def standing_still(server: Any) -> Iterator[None]:
    """Stop the process that takes connections and the one that serves the writer; both go on at the end."""
    standing = server.processes()
    for pid in standing:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in standing:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def test_a_server_that_hangs(start: Start, server: Any, database_url: str) -> None:
    """A server that stands still answers nobody, its own limits included. SIGTERM then ends in order all the same."""
    with SwitchThread() as switch:
        calls = Calls(switch)
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(20)
        with standing_still(server):
            calls.play(200).result(30)
            listener.wait_for("legs wait on disk")
            ended(listener)
        assert "what PostgreSQL did not take waits on disk" in listener.output
        listener = start("listen", esl=switch.url)
        listener.wait_for("PostgreSQL has taken what was spooled")
        ended(listener)
    assert found(database_url) == calls.rows


def test_a_server_that_hangs_is_given_up(start: Start, server: Any, database_url: str, metrics: Any) -> None:
    """After 30 s the batch that hangs is taken back and put on the disk too, where no end of ours can reach it."""
    with SwitchThread() as switch:
        calls = Calls(switch)
        listener = start("listen", esl=switch.url, metrics_bind=metrics.bind)
        switch.wait_for_subscriber(20)
        with standing_still(server):
            calls.play(200).result(30)
            listener.wait_for("legs wait on disk")
            assert "PostgreSQL is not available" not in listener.output
            listener.wait_for("PostgreSQL is not available", timeout_s=60)
            metrics.wait_until_spooled()
            # By now the writer hangs in a new connection, which nothing but a kill of its greenlet ends.
            assert listener.stop(timeout_s=20) == 0, listener.output
            assert "Traceback" not in listener.output
        listener = start("listen", esl=switch.url)
        listener.wait_for("PostgreSQL has taken what was spooled")
        ended(listener)
    assert found(database_url) == calls.rows


@pytest.fixture
def small_disk() -> Iterator[Callable[[str], Path | None]]:
    """Mount a file system of a size; None where we may not mount one."""
    # Not below pytest's folder, which PostgreSQL may not enter when it is another user.
    folder = Path(tempfile.mkdtemp(prefix="tollbook-tests-"))
    folder.chmod(0o711)

    def mounted(size: str) -> Path | None:
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tollbook-test", str(folder)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
            return None
        return folder

    yield mounted
    if folder.is_mount():
        subprocess.run(["umount", folder], check=True)
    folder.rmdir()


@pytest.mark.parametrize("full", ["the bound", "the disk"])
def test_a_full_spool(
    start: Start, server: Any, database_url: str, metrics: Any, small_disk: Callable[[str], Path | None], full: str
) -> None:
    """A spool that takes no more is an alarm; legs stay in memory, the reader goes on, and nothing is lost."""
    settings = {"spool_max": "300K"}
    if full == "the disk" and (disk := small_disk("400k")):
        settings = {"data_dir": str(disk)}
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


@pytest.fixture
def database_on_small_disk(
    server: Any, database_url: str, small_disk: Callable[[str], Path | None]
) -> Iterator[Callable[[], Path | None]]:
    """Move the test's database to a file system of 100 MB, which is given; None where we may not mount one."""
    name = conninfo_to_dict(database_url)["dbname"]
    moved = False

    def move() -> Path | None:
        nonlocal moved
        if disk := small_disk("100m"):
            owner = (server.folder / "postgresql").stat()
            (disk / "space").mkdir()
            os.chown(disk / "space", owner.st_uid, owner.st_gid)
            server.execute(f"CREATE TABLESPACE small LOCATION '{disk / 'space'}'")
            server.execute(f"ALTER DATABASE {name} SET TABLESPACE small")
            moved = True
        return disk

    yield move
    if moved:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        server.execute("DROP TABLESPACE small")


@contextmanager
def no_space_left(database_url: str, disk: Path) -> Iterator[str]:
    """Fill a disk with somebody else's file; give what PostgreSQL says of it."""
    filling = disk / "filling"
    with psycopg.connect(database_url) as connection:
        try:
            with contextlib.suppress(OSError), filling.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            with pytest.raises(psycopg.errors.DiskFull) as refused:
                connection.execute("CREATE TABLE full_disk AS SELECT generate_series(1, 100000)")
            assert refused.value.sqlstate == "53100"
            yield "No space left on device"
        finally:
            filling.unlink()


@contextmanager
def files_too_large(server: Any, database_url: str) -> Iterator[str]:
    """Let no file of PostgreSQL's grow beyond a WAL segment's size: needs no rights, and stops the same write."""
    with connect(database_url, name="test", autocommit=True) as connection:
        make_ready(connection)
        days = connection.execute("SELECT relid::text FROM pg_partition_tree('call_leg') WHERE isleaf").fetchall()
        for (day,) in days:
            connection.execute(f"ALTER TABLE {day} SET (fillfactor = 10)")  # a page a leg: large after a few calls
    try:
        _limit_files(server, str(16 * 1024 * 1024))
        yield "File too large"
    finally:
        _limit_files(server, "unlimited")


def _limit_files(server: Any, size: str) -> None:
    for pid in server.processes():
        owner = Path(f"/proc/{pid}").stat()
        # As its owner: root may have been denied the right over others' limits.
        command = ["prlimit", f"--pid={pid}", f"--fsize={size}:unlimited"]
        as_root = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        subprocess.run(command, check=True, **as_root)


@pytest.mark.parametrize("full", ["its file system", "a limit on its files"])
def test_postgresql_s_disk_is_full(
    start: Start,
    server: Any,
    database_url: str,
    metrics: Any,
    database_on_small_disk: Callable[[], Path | None],
    full: str,
) -> None:
    """PostgreSQL finds no room for the next page of a table: what it does not take is spooled until there is room."""
    disk = database_on_small_disk() if full == "its file system" else None
    with SwitchThread() as switch:
        calls = Calls(switch)
        listener = start("listen", esl=switch.url, metrics_bind=metrics.bind)
        switch.wait_for_subscriber(20)
        with no_space_left(database_url, disk) if disk else files_too_large(server, database_url) as said:
            calls.play(2_000).result(30)
            listener.wait_for("legs wait on disk")
            assert "could not extend file" in listener.output
            assert said in listener.output
            assert found(database_url) != calls.rows
        metrics.wait_until_written(timeout_s=60)
        ended(listener)
    assert found(database_url) == calls.rows


def test_a_refused_leg_waits_for_a_retry(start: Start, server: Any, database_url: str, tmp_path: Path) -> None:
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


def test_two_listeners_on_one_data_directory_have_a_spool_each(start: Start, server: Any, tmp_path: Path) -> None:
    with SwitchThread() as switch:
        listeners = [start("listen", esl=switch.url) for _ in range(2)]
        for listener in listeners:
            listener.wait_for("listening")
        for listener in listeners:
            ended(listener)
    assert {path.name for path in (tmp_path / "data").iterdir()} >= {"spool", "spool-2"}
