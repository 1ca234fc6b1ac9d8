"""An outage is a line in the log at its start, one a minute, and one at its end, whatever is tried meanwhile.

The minute is a second here.
"""

import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.acceptance.metrics import Metrics
from tests.acceptance.played import RECORDINGS, Calls
from tests.acceptance.server import Server
from tests.api_server import ApiServer
from tests.commands import Running, environment, free_port
from tests.waiting import wait_until
from tollbook.simulator.thread import SwitchThread
from tollbook.store import keys
from tollbook.store.database import connect
from tollbook.store.tariffs import tariffs

# The installed command, but for the minute. `tollbook.log` imports nothing that `listen` has to patch first.
SHORT = "import tollbook.log, tollbook.cli; tollbook.log.Outage.every_s = 1.0; tollbook.cli.main()"
PROGRAM = (sys.executable, "-c", SHORT)
LASTS_S = 4.0
# A second a line, and what starting and stopping a server takes on a busy machine.
MOST_LINES = 25


@pytest.fixture
def database_url(server: Server) -> str:
    """A fresh, migrated database on the server that the tests stop."""
    return server.fresh_database()


def complaints(running: Running) -> list[str]:
    """The lines of a process that are warnings or worse, without their time."""
    return re.findall(r"(?:WARNING|ERROR|CRITICAL) .*", running.output)


def assert_one_outage(lines: list[str], begins: str, ends: str) -> None:
    """Check that the lines are one at the start, some in between, a minute apart, and one at the end."""
    first, *between, last = lines
    assert re.search(begins, first), lines
    assert "failures=" not in first
    assert re.search(rf"{ends}.* lasted_s=\d+ failures=\d+$", last), lines
    assert 2 <= len(between) <= MOST_LINES, lines
    lasted = [re.search(r" for_s=(\d+) failures=\d+$", line) for line in between]
    assert all(lasted), lines
    seconds = [int(found[1]) for found in lasted if found]
    assert len(set(seconds)) >= len(seconds) - 1, lines  # rounded, two may be of one second


@contextmanager
def listening(database_url: str, folder: Path, **settings: str) -> Iterator[Running]:
    """Run `tollbook listen` with the short minute."""
    ours = {"database_url": database_url, "data_dir": str(folder / "data")}
    listener = Running(["listen"], environment(**ours | settings), folder / "listen.log", PROGRAM)
    try:
        yield listener
    finally:
        listener.kill()


def test_the_listener_without_postgresql(server: Server, database_url: str, tmp_path: Path, metrics: Metrics) -> None:
    """Calls go on, on three switches: writer, spool, sums, channels and tariffs say together what one would say."""
    with SwitchThread() as one, SwitchThread() as two, SwitchThread() as three:
        esl = ",".join(switch.url for switch in (one, two, three))
        with listening(database_url, tmp_path, esl=esl, metrics_bind=metrics.bind) as listener:
            for switch in (one, two, three):
                switch.wait_for_subscriber(20)
            playing = Calls(one, RECORDINGS).play(800)
            metrics.wait_until("rows_written_total", lambda rows: rows > 50)
            assert complaints(listener) == []
            server.stop()
            time.sleep(LASTS_S)
            assert metrics["database_silent_seconds"] > LASTS_S / 2
            server.start()
            listener.wait_for("has taken what was spooled")
            playing.result(30)
            metrics.wait_until_written()
            listener.end()
        begins = r"ERROR tollbook.listen: .*; until PostgreSQL takes them, legs wait on disk spool_bytes=0"
        ends = "WARNING tollbook.listen: PostgreSQL has taken what was spooled"
        assert_one_outage(complaints(listener), begins, ends)


def test_the_listener_without_its_switch(server: Server, database_url: str, tmp_path: Path, metrics: Metrics) -> None:
    port = free_port()
    connected = f'switch_connected{{switch="127.0.0.1:{port}"}}'
    with ExitStack() as ends:
        with SwitchThread(port=port) as switch:
            listener = ends.enter_context(listening(database_url, tmp_path, esl=switch.url, metrics_bind=metrics.bind))
            switch.wait_for_subscriber(20)
            metrics.wait_until(connected, lambda value: value == 1)
        time.sleep(LASTS_S)
        assert metrics[connected] == 0
        with SwitchThread(port=port) as again:
            again.wait_for_subscriber(30)
            listener.wait_for("listening again")
            assert metrics[connected] == 1
            listener.end()
    begins, ends_with = "ERROR tollbook.switch: 127.0.0.1:", "WARNING tollbook.switch: listening again switch="
    assert_one_outage(complaints(listener), begins, ends_with)


def test_the_api_without_postgresql(server: Server, database_url: str, tmp_path: Path) -> None:
    """Eight clients ask all the time: what each request gets is in the access log, and the outage in a few lines."""
    with connect(database_url, name="test", autocommit=True) as connection:
        tariffs.add_account(connection, tariffs.Account(account_id="acme", name="acme", plan_id=None))
        key = keys.create(connection, account_id="acme", scopes=["cdr"])[1]
    api = ApiServer(database_url, tmp_path / "serve.log", program=PROGRAM, rate_limit="1000000")
    statuses: list[int] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            statuses.append(api.get("/v1/calls", key)[0].status)
            done.wait(0.02)

    clients = [threading.Thread(target=ask, daemon=True) for _ in range(8)]
    try:
        api.wait_until_up()
        for client in clients:
            client.start()
        wait_until(lambda: statuses.count(200) > 20)
        server.stop()
        wait_until(lambda: statuses.count(503) >= 16, 60)  # the first at once, others after the 5 s of a pool
        server.start()
        api.wait_for("requests are served again", 60)
        assert statuses[-1] == 200
    finally:
        done.set()
        for client in clients:
            client.join(60)
        api.kill()
    begins, ends = "ERROR tollbook.serve: cannot serve requests", "WARNING tollbook.serve: requests are served again"
    assert_one_outage(complaints(api), begins, ends)
    assert len(re.findall(" GET path=/v1/calls status=503 ", api.output)) == statuses.count(503)
