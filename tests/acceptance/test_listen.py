"""`tollbook listen` as a process, real recordings over a real socket, rows in a real PostgreSQL."""

import json
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.acceptance.played import found
from tests.commands import Start
from tests.paths import CALLS, CASES
from tests.waiting import wait_until
from tollbook.simulator.recording import Recording, load
from tollbook.simulator.thread import SwitchThread
from tollbook.store.database import Connection, connect, scalar
from tollbook.store.tariffs.deck_import import replace_rates
from tollbook.store.tariffs.tariffs import Account, add_account

# Those that were recorded, and those made by hand.
FOLDERS = sorted(path.parent for path in (*CALLS.glob("*/rows.json"), *CASES.glob("*/*/rows.json")))


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    return [load(folder) for folder in FOLDERS]


def wanted(folders: list[Path]) -> dict[tuple[str, int], dict[str, Any]]:
    """Return the rows expected from the recordings, by key."""
    rows = [row for folder in folders for row in json.loads((folder / "rows.json").read_text())]
    return {(row["call_id"], row["start_ts"]): row for row in rows}


def wait_until_complete(url: str, calls: int, timeout_s: float = 30.0) -> None:
    complete = "SELECT count(*) FROM call_cdr WHERE end_ts IS NOT NULL"
    with psycopg.connect(url, autocommit=True) as connection:
        wait_until(lambda: scalar(connection, complete) >= calls, timeout_s, every_s=0.05)


@pytest.mark.parametrize("form", ["json", "plain"])
@pytest.mark.parametrize("order", ["one after the other", "interleaved"])
def test_every_recording_gives_its_rows(
    start: Start, database_url: str, recordings: list[Recording], form: str, order: str
) -> None:
    """All calls, in both formats, in order and interleaved: every row right, none missing, none extra."""
    with SwitchThread() as switch:
        listener = start("listen", esl=f"{switch.url}?format={form}")
        switch.wait_for_subscriber(20)
        if order == "interleaved":
            switch.play_interleaved(recordings)
        else:
            switch.play(recordings, verbatim=True)
        rows = wanted(FOLDERS)
        wait_until_complete(database_url, len(rows))
        assert listener.stop() == 0, listener.output
    assert found(database_url) == rows


def test_two_listeners_on_one_switch_give_the_same_rows(
    start: Start, database_url: str, recordings: list[Recording], tmp_path: Path
) -> None:
    """Whichever listener comes first completes a row, once; the other finds nothing to change."""
    with SwitchThread() as switch:
        listeners = [start("listen", esl=switch.url, data_dir=str(tmp_path / name)) for name in ("one", "two")]
        for listener in listeners:
            listener.wait_for("listening")
        wait_until(lambda: switch.connection_count == 2)
        switch.play_interleaved(recordings)
        rows = wanted(FOLDERS)
        wait_until_complete(database_url, len(rows))
        assert [listener.stop() for listener in listeners] == [0, 0]
    assert found(database_url) == rows
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT DISTINCT revision FROM call_cdr").fetchall() == [(1,)]
        assert connection.execute("SELECT count(*) FROM archive_outbox").fetchone() == (len(rows),)


def test_a_listener_keeps_the_next_days_ready(start: Start, database_url: str) -> None:
    """Without a call and without `tollbook db upgrade`, the next days' partitions exist before midnight."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        of_days = "inhparent = 'call_cdr'::regclass AND inhrelid::regclass::text ~ '_[0-9]{8}$'"
        ahead = f"SELECT count(*) FROM pg_inherits WHERE {of_days}"
        assert connection.execute(ahead).fetchone() == (0,)
        with SwitchThread() as switch:
            listener = start("listen", esl=switch.url)
            switch.wait_for_subscriber(20)
            wait_until(lambda: scalar(connection, ahead) == 9, 10)  # yesterday, today and seven days
            assert listener.stop() == 0


def test_a_new_deck_is_seen_without_a_restart_and_never_half(
    start: Start, database_url: str, recordings: list[Recording]
) -> None:
    """Calls are played while 100,000 rates are replaced: each has one version's price, at the end the new one's."""
    answered = [recording for recording in recordings if recording.name == "outbound_answered"]
    prices = "SELECT (parts -> 0 ->> 'version')::int, cost_micros, currency FROM call_cdr WHERE end_ts IS NOT NULL"

    def exchange(connection: Connection, micros: int) -> None:
        rates = (("x", "outbound", f"1{n:05}", micros, 0, 1, 1, 0, None, "x") for n in range(100_000))
        replace_rates(connection, "retail", "EUR", rates)

    with connect(database_url, name="test", autocommit=True) as connection, SwitchThread() as switch:
        exchange(connection, 20)
        add_account(connection, Account(account_id="acct_alpha", name="Alpha", plan_id="retail"))
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(20)
        switch.play(answered)
        wait_until_complete(database_url, 1)
        importing = threading.Thread(target=exchange, args=(connection, 40))
        importing.start()
        seen: list[tuple[object, ...]] = []

        def new_version_seen() -> bool:
            nonlocal seen
            switch.play(answered)
            seen = reader.execute(prices).fetchall()
            return 2 in {version for version, *_ in seen}

        with psycopg.connect(database_url, autocommit=True) as reader:
            wait_until(new_version_seen, 60, every_s=0)
        importing.join(30)
        assert listener.stop() == 0, listener.output
    assert set(seen) == {(1, 1, "EUR"), (2, 2, "EUR")}


def test_a_row_exists_while_the_call_is_up(start: Start, database_url: str) -> None:
    """A start row is written when the call is routed, and what only the end decides is NULL until then."""
    recording = load(CALLS / "outbound_answered")
    creates = [index for index, event in enumerate(recording.events) if event.name == b"CHANNEL_CREATE"]
    with SwitchThread() as switch:
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(20)
        switch.emit(recording, creates)
        rows = wait_until(lambda: found(database_url), 10)
        assert listener.stop() == 0
    (row,) = rows.values()
    (want,) = wanted([CALLS / "outbound_answered"]).values()
    unknown_yet = dict.fromkeys(["answer_ts", "end_ts", "duration_sec", "billsec", "disposition", "hangup_cause"])
    assert row == {**want, **unknown_yet, "answered": 0, "parts": []}


def test_sigterm_writes_everything_first(start: Start, database_url: str, recordings: list[Recording]) -> None:
    """Everything read before the signal is in the database when the process ends."""
    with SwitchThread() as switch:
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(20)
        switch.play_unpaced(recordings, count=len(recordings) * 10)
        assert listener.stop() == 0, listener.output
    assert "everything written" in listener.output
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*), count(end_ts) FROM call_cdr").fetchone()
    assert row == (len(wanted(FOLDERS)) * 10,) * 2


def test_systemd_is_told_of_the_start_the_stop_and_that_it_is_alive(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """READY once it listens, a sign of life, too; WATCHDOG twice in the time that the unit allows; then STOPPING."""
    with SwitchThread() as switch, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "1000000")
        listener = start("listen", esl=switch.url)
        assert systemd.recv(1000) == b"READY=1\nSTATUS=listening to 1 switches\nWATCHDOG=1"
        assert switch.connection_count >= 1
        assert [systemd.recv(1000) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        assert listener.stop() == 0, listener.output
        systemd.setblocking(False)
        rest: list[bytes] = []
        with suppress(BlockingIOError):
            while True:
                rest.append(systemd.recv(1000))
        assert rest[-1] == b"STOPPING=1"
        assert set(rest[:-1]) <= {b"WATCHDOG=1"}
