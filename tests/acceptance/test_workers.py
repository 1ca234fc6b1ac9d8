"""`tollbook listen --workers`: processes share the switches, and a kill of one hinders no other and loses nothing."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.metrics import Metrics
from tests.acceptance.played import RECORDINGS, Calls, Key, Row, wrong_rows
from tests.acceptance.server import Server
from tests.acceptance.test_metrics import scraped, value
from tests.acceptance.test_run import gone
from tests.commands import Running, Start, free_port
from tests.paths import CALLS
from tests.waiting import wait_until
from tollbook.simulator.recording import load
from tollbook.simulator.thread import SwitchThread
from tollbook.spool_files import segments, spool_folders
from tollbook.store.database import connect, scalar

# What a test may wait for on a busy machine.
TIMEOUT_S = 60.0
# Every recording whose legs all have a CDR file: what nobody heard can come from these alone.
WITH_FILES = sorted(folder.name for folder in CALLS.iterdir() if (folder / "json_cdr").is_dir())


@pytest.fixture
def switches() -> Iterator[list[SwitchThread]]:
    """Three of them: of two workers the first has two, the other has one."""
    with ExitStack() as stack:
        yield [stack.enter_context(SwitchThread(heartbeat_s=0.5)) for _ in range(3)]


def urls(switches: list[SwitchThread]) -> str:
    return ",".join(switch.url for switch in switches)


def pids(listener: Running, name: str) -> list[int]:
    """The processes that were this worker, in order."""
    return [int(pid) for found, pid in re.findall(r"(\S+) started pid=(\d+)", listener.output) if found == name]


def ready(listener: Running, name: str, times: int = 1) -> None:
    wait_until(lambda: listener.output.count(f"{name} ready") >= times, TIMEOUT_S, what=lambda: listener.output)


def played(switch: SwitchThread, count: int) -> dict[Key, Row]:
    """Play calls to their end, and return their rows."""
    calls = Calls(switch, RECORDINGS)
    calls.play_unpaced(count)
    return calls.rows


def wait_until_complete(url: str, rows: dict[Key, Row]) -> None:
    complete = "SELECT count(*) FROM call_cdr WHERE end_ts IS NOT NULL"
    ended = sum(row["end_ts"] is not None for row in rows.values())
    with connect(url, name="test", autocommit=True) as connection:
        wait_until(lambda: scalar(connection, complete) >= ended, TIMEOUT_S)


def test_workers_share_the_switches_and_one_page_adds_them_up(
    start: Start, database_url: str, switches: list[SwitchThread], metrics: Metrics
) -> None:
    """Each switch has one client, every row is there once; SIGHUP changes nothing, SIGTERM ends all with 0."""
    listener = start("listen", "--workers=2", esl=urls(switches), metrics_bind=metrics.bind)
    for number in (1, 2):
        ready(listener, f"worker-{number}")
    listener.process.send_signal(signal.SIGHUP)
    rows: dict[Key, Row] = {}
    for switch in switches:
        rows |= played(switch, 20)
    wait_until_complete(database_url, rows)
    written = len(rows)
    wait_until(lambda: metrics["rows_written_total"] >= written, TIMEOUT_S)
    page = scraped(metrics.bind)
    assert value(page, "tollbook_workers_ready") == 2
    assert value(page, "tollbook_connections_total") == 3
    assert [value(page, f'tollbook_switch_connected{{switch="{host_port(switch)}"}}') for switch in switches] == [
        1.0
    ] * 3
    assert value(page, 'tollbook_worker_resident_bytes{worker="worker-2"}') > 1e7
    assert [switch.connection_count for switch in switches] == [1, 1, 1]
    assert "SIGHUP ignored" in listener.output
    workers = [*pids(listener, "worker-1"), *pids(listener, "worker-2")]
    assert listener.stop() == 0, listener.output
    assert listener.output.count("stopped, everything written") == 2
    assert all(map(gone, workers))
    assert list(wrong_rows(database_url, rows)) == []


def kill_all(listener: Running) -> None:
    """SIGKILL for all at once: nobody starts a worker again, and no worker learns that it is alone."""
    listener.process.send_signal(signal.SIGSTOP)
    for worker in re.findall(r"started pid=(\d+)", listener.output):
        os.kill(int(worker), signal.SIGKILL)
    listener.kill()


def host_port(switch: SwitchThread) -> str:
    return "{}:{}".format(*switch.address)


def test_a_killed_worker_is_started_again_and_hinders_no_other(
    start: Start, database_url: str, tmp_path: Path, metrics: Metrics
) -> None:
    """Killed while calls are made on both switches: the other one's connection stays, and every row comes out right."""
    folder = tmp_path / "json_cdr"
    folder.mkdir()
    with SwitchThread(heartbeat_s=0.5) as one, SwitchThread(json_cdr_dir=folder, heartbeat_s=0.5) as two:
        listener = start("listen", esl=urls([one, two]), listen_workers="2", metrics_bind=metrics.bind)
        for number in (1, 2):
            ready(listener, f"worker-{number}")
        calls = [Calls(switch, [load(CALLS / name) for name in WITH_FILES]) for switch in (one, two)]
        playing = [part.play(60, calls_per_s=20, speed=4.0) for part in calls]
        wait_until(lambda: metrics["rows_written_total"] > 5, TIMEOUT_S)
        for times in (2, 3):
            counted = metrics["events_total"]
            os.kill(pids(listener, "worker-2")[-1], signal.SIGKILL)
            ready(listener, "worker-2", times)
            wait_until(lambda: two.connection_count == 1, TIMEOUT_S)
            assert metrics["events_total"] >= counted
        for part in playing:
            part.result(TIMEOUT_S)
        assert len(pids(listener, "worker-1")) == 1
        assert listener.output.count(f"listening switch={host_port(one)}") == 1
        wait_until(
            lambda: value(scraped(metrics.bind), 'tollbook_worker_starts_total{worker="worker-2"}') == 3, TIMEOUT_S
        )
        recover = start("recover", str(folder))
        assert recover.process.wait(TIMEOUT_S) == 0, recover.output
        assert listener.stop() == 0, listener.output
    assert list(wrong_rows(database_url, calls[0].rows | calls[1].rows)) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [(2, 1), pytest.param(1, 2, marks=pytest.mark.soak), pytest.param(3, 2, marks=pytest.mark.soak)],
)
def test_what_waits_on_disk_is_written_whatever_the_number_of_workers(
    start: Start,
    server: Server,
    switches: list[SwitchThread],
    tmp_path: Path,
    metrics: Metrics,
    before: int,
    after: int,
) -> None:
    """PostgreSQL goes, each worker spools calls, all are killed, and another number of them starts: each row, once."""
    url = server.fresh_database()
    settings = {"esl": urls(switches), "database_url": url}
    listener = start("listen", f"--workers={before}", metrics_bind=metrics.bind, **settings)
    for switch in switches:
        switch.wait_for_subscriber(TIMEOUT_S)
    rows: dict[Key, Row] = {}
    server.stop()
    for switch in switches:
        rows |= played(switch, 20)
    spools = spool_folders(tmp_path / "data")
    wait_until(lambda: sum(bool(segments(spool)) for spool in spools) == before, TIMEOUT_S)
    metrics.wait_until_spooled()
    kill_all(listener)
    server.start()
    again = start("listen", f"--workers={after}", **settings)
    wait_until_complete(url, rows)
    wait_until(lambda: not any(segments(spool) for spool in spools), TIMEOUT_S)
    assert again.stop() == 0, again.output
    assert list(wrong_rows(url, rows)) == []


def test_run_starts_as_many_workers_as_the_setting_says(
    start: Start, database_url: str, switches: list[SwitchThread]
) -> None:
    """A group within a group: lines have both names, a killed listener takes its workers along, and all end with 0."""
    running = start("run", esl=urls(switches), listen_workers="2", api_bind=f"127.0.0.1:{free_port()}")
    wait_until(lambda: "tollbook.run: listen ready" in running.output, TIMEOUT_S, what=lambda: running.output)
    workers = [int(pid) for pid in re.findall(r"listen: .*worker-\d started pid=(\d+)", running.output)]
    assert len(workers) == 2
    (listener,) = pids(running, "listen")
    os.kill(listener, signal.SIGKILL)
    wait_until(lambda: running.output.count("tollbook.run: listen ready") == 2, TIMEOUT_S, what=lambda: running.output)
    wait_until(lambda: all(map(gone, workers)), TIMEOUT_S)
    rows: dict[Key, Row] = {}
    for switch in switches:
        switch.wait_for_subscriber(TIMEOUT_S)
        rows |= played(switch, 10)
    wait_until_complete(database_url, rows)
    assert running.stop() == 0, running.output
    assert list(wrong_rows(database_url, rows)) == []


def test_a_worker_without_a_switch_goes_on_trying(start: Start, switches: list[SwitchThread], metrics: Metrics) -> None:
    """The switches of one refuse it: nothing ends, the others are heard, and the page says which are not."""
    refused = switches[1].url.replace("ClueCon", "wrong")
    listener = start("listen", "--workers=2", esl=f"{switches[0].url},{refused}", metrics_bind=metrics.bind)
    for number in (1, 2):
        ready(listener, f"worker-{number}")
    wait_until(lambda: value(scraped(metrics.bind), "tollbook_workers_ready") == 2, TIMEOUT_S)
    page = scraped(metrics.bind)
    connected = [value(page, f'tollbook_switch_connected{{switch="{host_port(one)}"}}') for one in switches[:2]]
    assert connected == [1.0, 0.0]
    assert "refuses the password" in listener.output
    assert listener.stop() == 0, listener.output


def test_an_address_that_is_taken_is_one_line(start: Start, switches: list[SwitchThread]) -> None:
    """As of any command: no traceback, and the code that systemd knows."""
    taken = host_port(switches[0])
    listener = start("listen", "--workers=2", esl=urls(switches), metrics_bind=taken)
    assert listener.process.wait(TIMEOUT_S) == 78
    assert f"tollbook: TOLLBOOK_METRICS_BIND={taken}: Address already in use" in listener.output
    assert "Traceback" not in listener.output
