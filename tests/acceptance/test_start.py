"""A start of the listener: quick, held up by no switch, and followed by a recovery of what nobody heard."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from maintenance.recover.cdr_folder import open_folder
from tests.acceptance.metrics import Metrics
from tests.acceptance.played import NAMES, Calls, found, wrong_rows
from tests.commands import Start
from tests.databases import on_server
from tests.paths import CALLS
from tests.waiting import wait_until
from tollbook.simulator.recording import load
from tollbook.simulator.thread import SwitchThread
from tollbook.store.database import scalar

RECORDINGS = [load(CALLS / name) for name in NAMES if (CALLS / name / "json_cdr").is_dir()][:8]

# Ten times what it takes on a quiet machine: this one may be busy.
START_S = 10.0


@pytest.fixture
def hung_switch() -> Iterator[str]:
    """The URL of a switch that greets, and then says nothing."""
    clients: list[socket.socket] = []

    def greet(listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                clients.append(client)
                client.sendall(b"Content-Type: auth/request\n\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        greeting = threading.Thread(target=greet, args=(listening,), daemon=True)
        greeting.start()
        yield f"esl://:x@127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        greeting.join(START_S)
    for client in clients:
        client.close()


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket on which a service says that it is ready."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "notify"))
        made.settimeout(START_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield made


def test_it_is_ready_soon(start: Start, systemd: socket.socket) -> None:
    """With an upgrade asked for that is not needed, as the unit does: what ends meanwhile, nobody hears."""
    with SwitchThread() as switch:
        begun_s = time.monotonic()
        listener = start("listen", "--upgrade", esl=switch.url)
        assert systemd.recv(1000).startswith(b"READY=1")
        assert time.monotonic() - begun_s < START_S
        assert listener.stop() == 0, listener.output


def test_a_switch_that_hangs_at_the_start_holds_up_no_other(
    start: Start, systemd: socket.socket, hung_switch: str, database_url: str
) -> None:
    """It accepts, greets and says nothing for 30 s: the other's calls are written at once, and systemd is told."""
    with SwitchThread() as switch:
        listener = start("listen", esl=f"{hung_switch},{switch.url}")
        switch.wait_for_subscriber(START_S)
        calls = Calls(switch, RECORDINGS)
        calls.play_unpaced(len(RECORDINGS))
        wait_until(lambda: found(database_url) == calls.rows, START_S)
        assert systemd.recv(1000).startswith(b"READY=1")
        assert listener.stop() == 0, listener.output


def test_tariffs_that_take_long_to_load_delay_no_listening(start: Start, database_url: str, metrics: Metrics) -> None:
    """What is heard meanwhile goes to the spool, and gets its rows and prices afterwards."""
    with SwitchThread() as switch, psycopg.connect(database_url) as connection:
        connection.execute("LOCK TABLE rate_plan IN ACCESS EXCLUSIVE MODE")
        listener = start("listen", esl=switch.url, metrics_bind=metrics.bind)
        switch.wait_for_subscriber(START_S)
        calls = Calls(switch, RECORDINGS)
        calls.play_unpaced(len(RECORDINGS))
        metrics.wait_until("spool_bytes", lambda value: value > 0)
        assert not found(database_url)
        connection.rollback()
        wait_until(lambda: found(database_url) == calls.rows, 30)
        assert listener.stop() == 0, listener.output


def test_a_listener_whose_only_switch_hangs_is_ready_and_stops(
    start: Start, systemd: socket.socket, hung_switch: str
) -> None:
    """It goes on trying, as it does with a switch that hangs later; a stop waits for nothing."""
    listener = start("listen", esl=hung_switch)
    assert systemd.recv(1000).startswith(b"READY=1")
    assert listener.stop(timeout_s=START_S) == 0, listener.output


def test_sighup_changes_nothing(start: Start, database_url: str) -> None:
    """It ended the process at once, without the spool; now it says that a restart is what reads the settings."""
    with SwitchThread() as switch:
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(START_S)
        os.kill(listener.process.pid, signal.SIGHUP)
        listener.wait_for("SIGHUP ignored: settings are read at a start, so restart")
        calls = Calls(switch, RECORDINGS)
        calls.play_unpaced(len(RECORDINGS))
        wait_until(lambda: found(database_url) == calls.rows, START_S)
        assert listener.stop() == 0, listener.output


def test_an_old_policy_is_renewed(start: Start, database_url: str) -> None:
    """Of a release that changed a policy and nothing else: the API would refuse to start."""
    with psycopg.connect(database_url, autocommit=True) as connection, SwitchThread() as switch:
        connection.execute("DROP POLICY tollbook_api ON call_cdr")
        listener = start("listen", "--upgrade", esl=switch.url)
        listener.wait_for("listening", 60)
        policies = "SELECT count(*) FROM pg_policies WHERE tablename = 'call_cdr' AND policyname = 'tollbook_api'"
        assert scalar(connection, policies) == 1
        assert listener.stop() == 0, listener.output


def test_a_missing_schema_is_made(start: Start, postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE behind")
    url = on_server(postgres_url, "behind")
    with SwitchThread() as switch:
        listener = start("listen", "--upgrade", esl=switch.url, database_url=url)
        listener.wait_for("listening", 60)
        assert "partitions ready" in listener.output
        assert listener.stop() == 0, listener.output


def test_what_ended_while_it_was_down_is_recovered_after_the_start(
    start: Start, database_url: str, tmp_path: Path, metrics: Metrics
) -> None:
    """Killed, and started when the calls have ended: their rows come from the switch's files, and nobody had to ask.

    After a connection that was cut, too.
    """
    folder = tmp_path / "json_cdr"
    folder.mkdir()
    with SwitchThread(json_cdr_dir=folder) as switch:
        calls = Calls(switch, RECORDINGS)
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(START_S)
        listener.stop(signal.SIGKILL)
        calls.play_unpaced(len(RECORDINGS))
        listener = start("listen", esl=switch.url, cdr_dir=str(folder), metrics_bind=metrics.bind)
        wait_until(lambda: found(database_url) == calls.rows, 60, every_s=0.2, what=lambda: listener.output)
        wait_until(lambda: not list(folder.glob("*.json")))
        runs = metrics["recoveries_total"]
        switch.cut_connections()
        metrics.wait_until("recoveries_total", lambda value: value > runs, 60)
        assert metrics["recoveries_failed_total"] == 0
        assert listener.stop() == 0, listener.output
    assert not list(wrong_rows(database_url, calls.rows))


def test_a_recovery_that_fails_is_counted_and_stops_nothing(
    start: Start, database_url: str, tmp_path: Path, metrics: Metrics
) -> None:
    with SwitchThread() as switch:
        listener = start("listen", esl=switch.url, cdr_dir=str(tmp_path / "nowhere"), metrics_bind=metrics.bind)
        switch.wait_for_subscriber(START_S)
        metrics.wait_until("recoveries_failed_total", lambda value: value == 1, 60)
        assert "name mod_json_cdr's log-dir" in listener.output
        assert "the CDR files were not all read, and will be tried again" in listener.output
        calls = Calls(switch, RECORDINGS)
        calls.play_unpaced(len(RECORDINGS))
        wait_until(lambda: found(database_url) == calls.rows, START_S)
        assert listener.stop() == 0, listener.output


def test_a_long_recovery_delays_no_call_and_no_stop(start: Start, database_url: str, tmp_path: Path) -> None:
    """While thousands of files are read, calls get their rows; the recovery ends with the listener, losing nothing."""
    folder = tmp_path / "json_cdr"
    folder.mkdir()
    (content,) = (path.read_bytes() for path in (CALLS / "outbound_answered" / "json_cdr").glob("a_*"))
    uid = (
        next((CALLS / "outbound_answered" / "json_cdr").glob("a_*")).name.removeprefix("a_").partition(".")[0].encode()
    )
    for number in range(20_000):
        (folder / f"{number:05}.json").write_bytes(content.replace(uid, f"{number:036}".encode()))
    with SwitchThread() as switch, psycopg.connect(database_url, autocommit=True) as connection:
        listener = start("listen", esl=switch.url, cdr_dir=str(folder))
        switch.wait_for_subscriber(START_S)
        wait_until(lambda: (folder / "done").is_dir(), 60)
        calls = Calls(switch, RECORDINGS)
        calls.play_unpaced(len(RECORDINGS))
        heard = "SELECT count(*) FROM call_cdr WHERE call_id = ANY(%s) AND end_ts IS NOT NULL"
        ids = [call_id for call_id, _ in calls.rows]
        wait_until(lambda: scalar(connection, heard, ids) == len(ids), START_S)
        assert list(folder.glob("*.json")), "the recovery ended too soon to show anything"
        assert listener.stop() == 0, listener.output
        left, done = len(list(folder.glob("*.json"))), len(list((folder / "done").iterdir()))
        assert left + done == 20_000
        with open_folder(folder) as opened:
            assert opened.lock(0), "the recovery goes on without its listener"
        rows = scalar(connection, "SELECT count(*) FROM call_cdr")
        assert isinstance(rows, int)
        assert rows >= done + len(ids)
