"""Kills of `tollbook deliver` and the receiver under load: each event at least once, in order, none that never was.

KILLS=200 for more of them than `make soak` has time for.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.server import Server
from tests.commands import Running, environment, free_port
from tests.databases import store
from tests.endpoints import add_endpoint
from tests.factories import UP, call
from tests.paths import ROOT
from tests.waiting import wait_until
from tollbook.store.database import Connection, connect
from tollbook.store.schema import upgrade

KILLS = int(os.environ.get("KILLS", "10"))
CALLS_A_SECOND = 100
_EVERY_S = 0.1
RINGING = UP | {"answer_ts": None, "answered": 0}


class ReceiverProcess:
    """`python -m tests.receiver`."""

    def __init__(self, folder: Path) -> None:
        self.port, self._file = free_port(), folder / "received"
        self._file.touch()
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.receiver", str(self.port), str(self._file)],
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def received(self) -> list[str]:
        return self._file.read_text().split()


def load(url: str, stop: threading.Event) -> None:
    """A hundred calls a second, each in three steps and some corrected; one in ten is rolled back at each step."""
    number = 0
    with connect(url, name="load") as connection:
        ringing: list[str] = []
        up: list[str] = []
        due_s = time.monotonic()
        while not stop.wait(max(0.0, due_s - time.monotonic())):
            due_s += _EVERY_S
            store(connection, call(f"never-{number}"))
            connection.rollback()
            new = [f"c{number + one}" for one in range(int(CALLS_A_SECOND * _EVERY_S))]
            number += len(new)
            store(connection, *(call(name, **RINGING) for name in new))
            store(connection, *(call(name, **UP) for name in ringing), *(call(name) for name in up))
            if up:
                store(connection, call(up[0], billsec=59, end_ts=call()[0].start_ts + 63_000))
            connection.commit()
            ringing, up = new, ringing


def noted(connection: Connection) -> dict[str, list[str]]:
    """The ids of the events of each call, in their order."""
    found: dict[str, list[str]] = {}
    for call_id, event_id in connection.execute("SELECT call_id, event_id FROM call_event ORDER BY seq"):
        found.setdefault(call_id, []).append(f"evt_{event_id.hex}")
    return found


@pytest.mark.soak
def test_kills_lose_nothing_and_keep_the_order(database_url: str, database: Connection, tmp_path: Path) -> None:
    receiver = ReceiverProcess(tmp_path)
    database.autocommit = True
    webhook = add_endpoint(database, url=f"http://127.0.0.1:{receiver.port}/")
    settings = environment(database_url=database_url, data_dir=str(tmp_path / "data"), webhook_private="127.0.0.0/8")
    logs = iter(range(10_000))

    def begin() -> Running:
        return Running(["deliver"], settings, tmp_path / f"deliver-{next(logs)}.log")

    process = begin()
    stop = threading.Event()
    loading = threading.Thread(target=load, args=(database_url, stop), daemon=True)
    loading.start()
    begun_s = time.monotonic()
    try:
        for number in range(KILLS):
            time.sleep(2 if number % 2 else 1.5)
            if number % 2:
                receiver.kill()
                time.sleep(0.5)
                receiver.start()
            else:
                process.kill()
                process = begin()
        stop.set()
        loading.join(30)
        loaded_s = time.monotonic() - begun_s
        left = "SELECT count(*) FROM event_delivery WHERE webhook_id = %s"
        wait_until(
            lambda: database.execute(left, (webhook,)).fetchone() == (0,), 60 + KILLS, what=lambda: process.output
        )
    finally:
        stop.set()
        process.kill()
        receiver.kill()
    expected, received = noted(database), receiver.received()
    first = {event_id: place for place, event_id in reversed(list(enumerate(received)))}
    events = [event_id for of_call in expected.values() for event_id in of_call]
    sys.stdout.write(
        f"{KILLS} kills, {len(expected)} calls, {len(expected) / loaded_s:.0f} a second, {len(events)} events,"
        f" {len(received) - len(first)} came twice\n"
    )
    assert set(first) == set(events)
    for of_call in expected.values():
        places = [first[event_id] for event_id in of_call]
        assert places == sorted(places)
    assert not any(name.startswith("never") for name in expected)


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that can be stopped."""
    with tempfile.TemporaryDirectory(prefix="tollbook-tests-") as folder:
        made = Server(Path(folder))
        made.start()
        yield made
        made.stop()


def test_a_restart_of_postgresql_is_waited_out(server: Server, tmp_path: Path) -> None:
    """What could not be written down is sent again, and nothing is left."""
    receiver = ReceiverProcess(tmp_path)
    try:
        server.execute("CREATE DATABASE tollbook")
        url = server["tollbook"]
        upgrade(url)
        with connect(url, name="test", autocommit=True) as connection:
            add_endpoint(connection, url=f"http://127.0.0.1:{receiver.port}/")
            settings = environment(database_url=url, data_dir=str(tmp_path / "data"), webhook_private="127.0.0.0/8")
            process = Running(["deliver"], settings, tmp_path / "deliver.log")
            process.wait_for("our share of the endpoints")
            store(connection, call("before"))
            wait_until(lambda: len(receiver.received()) == 3, 10)
        server.stop()
        process.wait_for("nothing is delivered")
        server.start()
        with connect(url, name="test", autocommit=True) as connection:
            store(connection, call("after"))
        wait_until(lambda: len(receiver.received()) >= 6, 30, what=lambda: process.output)
        process.wait_for("PostgreSQL answers again")
        process.end()
    finally:
        receiver.kill()
