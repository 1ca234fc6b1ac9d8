"""PostgreSQL goes away while calls are made: once it is back, every call is stored once and right."""

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.acceptance.metrics import Metrics
from tests.acceptance.played import CALLS, RECORDINGS, Calls, found
from tests.acceptance.server import Server
from tests.commands import Start
from tollbook.simulator.recording import load
from tollbook.simulator.thread import SwitchThread

# Called by a CHECK, so that a test can change the rule while the listener runs.
TAKES = "CREATE OR REPLACE FUNCTION takes(uid text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT {} $$"


@pytest.fixture
def database_url(server: Server) -> str:
    """A fresh, migrated database on the server that the tests stop."""
    return server.fresh_database()


def test_down_and_the_listener_killed(
    start: Start, server: Server, database_url: str, metrics: Metrics, tmp_path: Path
) -> None:
    """Down while calls are made, the listener killed and started again meanwhile: all calls are right afterwards."""
    with SwitchThread() as switch:
        calls = Calls(switch, RECORDINGS)
        listener = start("listen", esl=switch.url, metrics_bind=metrics.bind)
        switch.wait_for_subscriber(20)
        playing = calls.play(1_500)
        metrics.wait_until("rows_written_total", lambda rows: rows > 50)
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
        listener.end()
    assert "everything written" in listener.output
    assert found(database_url) == calls.rows
    assert list((tmp_path / "data" / "spool").glob("*.spool")) == []


def test_a_crash_of_the_server(start: Start, server: Server, database_url: str, metrics: Metrics) -> None:
    """PostgreSQL killed at full load and started again, twice."""
    with SwitchThread() as switch:
        calls = Calls(switch, RECORDINGS)
        listener = start("listen", esl=switch.url, metrics_bind=metrics.bind)
        switch.wait_for_subscriber(20)
        playing = calls.play(1_600)
        for _ in range(2):
            written, retried = metrics["rows_written_total"], metrics["batches_retried_total"]
            metrics.wait_until("rows_written_total", lambda rows, before=written: rows > before + 50)
            server.crash()
            metrics.wait_until("batches_retried_total", lambda batches, before=retried: batches > before)
            server.start()
        playing.result(30)
        metrics.wait_until_written()
        listener.end()
    assert "PostgreSQL is not available" in listener.output
    assert found(database_url) == calls.rows


def test_a_signal_while_the_server_is_down(start: Start, server: Server, database_url: str) -> None:
    """SIGTERM during an outage: the process reports what is spooled and exits with 0; the next start writes it."""
    with SwitchThread() as switch:
        calls = Calls(switch, RECORDINGS)
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(20)
        server.stop()
        calls.play(200).result(30)
        begun = time.monotonic()
        listener.end()
        assert time.monotonic() - begun < 5
        assert "stopped, what PostgreSQL did not take waits on disk for the next start" in listener.output
        server.start()
        listener = start("listen", esl=switch.url)
        listener.wait_for("the last listener left legs on disk")
        listener.wait_for("PostgreSQL has taken what was spooled")
        listener.end()
    assert found(database_url) == calls.rows


def test_a_read_only_server(start: Start, server: Server, database_url: str, metrics: Metrics) -> None:
    """Read-only, as a standby is before it is promoted, and writable again."""
    with SwitchThread() as switch:
        calls = Calls(switch, RECORDINGS)
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
        listener.end()
    assert "read-only transaction" in listener.output
    assert found(database_url) == calls.rows


def test_failing_over(start: Start, server: Server, standby: Server, database_url: str, metrics: Metrics) -> None:
    """With a URL of primary and standby, the listener finds the one that accepts writes."""
    url = database_url.replace("?host=", f"?target_session_attrs=read-write&host={standby.folder / 'address'},")
    with SwitchThread() as switch:
        calls = Calls(switch, RECORDINGS)
        listener = start("listen", esl=switch.url, metrics_bind=metrics.bind, database_url=url)
        switch.wait_for_subscriber(20)
        playing = calls.play(300)
        metrics.wait_until("rows_written_total", lambda value: value > 50)
        server.stop()
        calls.play(300).result(30)
        playing.result(30)
        listener.wait_for("legs wait on disk")
        standby.take_over(server)
        metrics.wait_until_written()
        listener.end()
    assert found(database_url.replace(str(server.folder), str(standby.folder))) == calls.rows


def test_a_lock_held_by_somebody(start: Start, server: Server, database_url: str, metrics: Metrics) -> None:
    """A table lock held for longer than we wait for one is an outage like any other."""
    with SwitchThread() as switch, psycopg.connect(database_url) as somebody:
        calls = Calls(switch, RECORDINGS)
        listener = start("listen", esl=switch.url, metrics_bind=metrics.bind)
        switch.wait_for_subscriber(20)
        somebody.execute("LOCK TABLE call_cdr IN EXCLUSIVE MODE")
        calls.play(200).result(30)
        # Before the wait for the lock fails: legs queued after a slow batch are on the disk already.
        metrics.wait_until("spool_bytes", lambda value: value > 0, timeout_s=3)
        listener.wait_for("canceling statement due to lock timeout")
        somebody.rollback()
        metrics.wait_until_written()
        listener.end()
    assert found(database_url) == calls.rows


@contextmanager
def standing_still(server: Server) -> Iterator[None]:
    """Stop the process that accepts connections and those that serve the listener; continue them at the end."""
    standing = [server.pid, *server.of_listener()]
    for pid in standing:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in standing:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def test_a_server_that_hangs(start: Start, server: Server, database_url: str) -> None:
    """A stopped server does not answer, and its own timeouts do not fire. SIGTERM still ends the listener in order."""
    with SwitchThread() as switch:
        calls = Calls(switch, RECORDINGS)
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(20)
        with standing_still(server):
            calls.play(200).result(30)
            listener.wait_for("legs wait on disk")
            listener.end()
        assert "what PostgreSQL did not take waits on disk" in listener.output
        listener = start("listen", esl=switch.url)
        listener.wait_for("PostgreSQL has taken what was spooled")
        listener.end()
    assert found(database_url) == calls.rows


@pytest.mark.soak  # 30 s; the test before this is the short one
def test_a_server_that_hangs_is_given_up(start: Start, server: Server, database_url: str, metrics: Metrics) -> None:
    """After 30 s the batch that hangs is taken back and spooled too, where it survives the end of the process."""
    with SwitchThread() as switch:
        calls = Calls(switch, RECORDINGS)
        listener = start("listen", esl=switch.url, metrics_bind=metrics.bind)
        switch.wait_for_subscriber(20)
        with standing_still(server):
            calls.play(200).result(30)
            listener.wait_for("legs wait on disk")
            assert "PostgreSQL is not available" not in listener.output
            listener.wait_for("PostgreSQL is not available", timeout_s=60)
            metrics.wait_until_spooled()
            # By now the writer hangs in a new connection, which only killing its greenlet ends.
            assert listener.stop(timeout_s=20) == 0, listener.output
            assert "Traceback" not in listener.output
        listener = start("listen", esl=switch.url)
        listener.wait_for("PostgreSQL has taken what was spooled")
        listener.end()
    assert found(database_url) == calls.rows


def test_a_refused_leg_waits_for_a_retry(start: Start, server: Server, database_url: str, tmp_path: Path) -> None:
    """Only the leg that PostgreSQL refuses becomes a dead letter, with its reason; it is written once accepted."""
    refused, taken = (load(CALLS / name) for name in ("outbound_answered", "answer_caller_hangs_up"))
    (row,) = refused.rows
    with psycopg.connect(database_url) as connection:
        connection.execute(TAKES.format(f"uid <> '{row['call_id']}'"))
        connection.execute("ALTER TABLE call_leg ADD CHECK (takes(uid))")
    with SwitchThread() as switch:
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(20)
        switch.play([refused, taken], verbatim=True)
        listener.wait_for("a leg was kept as a dead letter")
        listener.end()
    before = found(database_url)
    assert {call_id for call_id, _ in before} >= {row["call_id"] for row in taken.rows}
    assert before.get((row["call_id"], row["start_ts"])) != row  # its other leg has made the row, which holds little

    listed = start("spool", "list")
    assert listed.process.wait(20) == 0
    assert f"fs-lab {row['call_id']}  PostgreSQL refuses a value (23514)" in listed.output
    retried = start("spool", "retry")
    assert retried.process.wait(20) == 65
    assert re.search(r"written: 0, still refused: [1-9]", retried.output)

    with psycopg.connect(database_url) as connection:
        connection.execute(TAKES.format("true"))
    retried = start("spool", "retry")
    assert retried.process.wait(20) == 0, retried.output
    assert re.search(r"written: [1-9]\d*, still refused: 0", retried.output)
    assert found(database_url)[row["call_id"], row["start_ts"]] == row
    assert list((tmp_path / "data" / "dead-letters").iterdir()) == []


def test_two_listeners_on_one_data_directory_have_a_spool_each(start: Start, server: Server, tmp_path: Path) -> None:
    with SwitchThread() as switch:
        listeners = [start("listen", esl=switch.url) for _ in range(2)]
        for listener in listeners:
            listener.wait_for("listening")
        for listener in listeners:
            listener.end()
    assert {path.name for path in (tmp_path / "data").iterdir()} >= {"spool", "spool-2"}
