"""`tollbook run`: everything in one group, which outlives the deaths of its members, and which no member outlives."""

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.api_server import TIMEOUT_S
from tests.commands import TOLLBOOK, Running, environment, free_port
from tests.waiting import wait_until
from tollbook.simulator.recording import load_all
from tollbook.simulator.thread import SwitchThread
from tollbook.store.database import connect, scalar

Group = Callable[..., Running]


@pytest.fixture
def switch() -> Iterator[SwitchThread]:
    with SwitchThread() as switch:
        yield switch


@pytest.fixture
def group(database_url: str, switch: SwitchThread, tmp_path: Path) -> Iterator[Group]:
    """Start a group, with settings by name; `before`: Python that runs first. What still runs at the end is killed.

    `closed`: without a standard error. `under`: a command that starts it.
    """
    started: list[Running] = []

    def begin(
        before: str | None = None, *, closed: bool = False, under: Sequence[str] = (), **settings: str
    ) -> Running:
        ours = {"database_url": database_url, "data_dir": str(tmp_path / "data"), "esl": switch.url}
        ours["api_bind"] = f"127.0.0.1:{free_port()}"
        script = f"{before}\nfrom tollbook.cli import main\nmain()"
        program = [TOLLBOOK] if before is None else [sys.executable, "-c", script]
        if closed:
            program = ["/bin/sh", "-c", 'exec "$0" "$@" 2>&-', *program]
        running = Running(["run"], environment(**ours | settings), tmp_path / "run.log", [*under, *program])
        started.append(running)
        return running

    yield begin
    for running in started:
        running.kill()


def up(running: Running) -> Running:
    """Wait until both services are ready."""
    running.wait_for("listen ready", 60)
    running.wait_for("serve ready", 60)
    return running


def pids(running: Running, name: str) -> list[int]:
    """The processes that were started under a name, in order."""
    return [int(pid) for found, pid in re.findall(r"(\w+) started pid=(\d+)", running.output) if found == name]


def gone(pid: int) -> bool:
    """Whether there is no such process, not even one that nobody has waited for."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def started(running: Running, name: str, times: int = 2) -> Callable[[], bool]:
    return lambda: len(pids(running, name)) >= times


def test_calls_are_recorded_and_served_and_the_log_says_by_whom(
    group: Group, switch: SwitchThread, database_url: str
) -> None:
    """One command, one switch, a row; each line of a child begins with its name; SIGTERM ends all, with 0."""
    running = up(group())
    switch.wait_for_subscriber()
    switch.play(load_all(["outbound_answered"]), speed=20)
    with connect(database_url, name="test", autocommit=True) as connection:
        wait_until(lambda: scalar(connection, "SELECT count(*) FROM call_cdr WHERE end_ts IS NOT NULL"), TIMEOUT_S)
    lines = running.output.split("\n")[:-1]  # the last one may be written to at this moment
    assert [
        line for line in lines if not line.startswith(("listen: ", "serve: ")) and " tollbook.run: " not in line
    ] == []
    children = pids(running, "listen") + pids(running, "serve")
    assert running.stop() == 0, running.output
    assert "listen: " in running.output
    assert "stopped, everything written" in running.output
    assert all(map(gone, children))


@pytest.mark.parametrize("name", ["listen", pytest.param("serve", marks=pytest.mark.soak)])
def test_what_is_killed_is_started_again(group: Group, name: str) -> None:
    """And the other one goes on."""
    running = up(group())
    (pid,) = pids(running, name)
    os.kill(pid, signal.SIGKILL)
    wait_until(started(running, name), TIMEOUT_S)
    assert f"{name} ended, and is started again code=-9" in running.output
    assert gone(pid)
    assert all(len(pids(running, other)) == 1 for other in ("listen", "serve") if other != name)
    assert running.stop() == 0, running.output


@pytest.mark.soak
def test_what_hangs_is_killed_and_started_again(group: Group) -> None:
    """A service that gives no sign of life: one that is stopped, here; with a shorter patience than the units'."""
    running = up(
        group(
            "import dataclasses; from tollbook.supervisor import group\n"
            "group.SERVICES = tuple(dataclasses.replace(service, watchdog_s=2) for service in group.SERVICES)"
        )
    )
    (pid,) = pids(running, "serve")
    os.kill(pid, signal.SIGSTOP)
    wait_until(started(running, "serve"), TIMEOUT_S)
    assert "serve gives no sign of life, and is killed" in running.output


def test_nothing_outlives_the_group(group: Group) -> None:
    """Killed with SIGKILL, it takes its children along: they end in order, and write what they have."""
    running = up(group())
    children = pids(running, "listen") + pids(running, "serve")
    running.kill()
    for pid in children:
        wait_until(lambda pid=pid: gone(pid) or zombie(pid), TIMEOUT_S)


def zombie(pid: int) -> bool:
    """Whether it has ended, and whoever inherited it has not waited for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_wrong_password_ends_all_with_its_code(group: Group, switch: SwitchThread) -> None:
    """No restart mends it, and half a group would look like a whole one: 77, and why."""
    running = group(esl=switch.url.replace("ClueCon", "wrong"))
    assert running.process.wait(TIMEOUT_S) == 77, running.output
    assert "refuses the password" in running.output
    assert "listen cannot run, as it says above: no restart mends that, so all end code=77" in running.output


@pytest.mark.soak
def test_an_api_starts_although_no_switch_answers(group: Group) -> None:
    """The listener is tried again and again, and calls of before are served."""
    running = group(esl=f"esl://:x@127.0.0.1:{free_port()}")
    running.wait_for("serve ready", 60)
    wait_until(started(running, "listen"), TIMEOUT_S)
    assert running.stop() == 0, running.output


def test_a_timer_runs_at_its_time_and_never_twice_at_once(group: Group, tmp_path: Path) -> None:
    """A command every tenth of a second: each run begins after the end of the one before, and its stamp is kept."""
    running = group("""
import dataclasses
from tollbook.supervisor import group, table
from tollbook.supervisor.schedule import Interval
(archive,) = [timer for timer in table.timers() if timer.name == "archive"]
often = Interval(first_s=0.1, again_s=0.1)
group.timers = lambda cdr_dir: (dataclasses.replace(archive, arguments=("spool", "list"), schedule=often),)
""")
    wait_until(started(running, "archive", 3), TIMEOUT_S)
    assert all(gone(pid) for pid in pids(running, "archive")[:2])
    assert "archive: dead letters: 0" in running.output
    assert (tmp_path / "data" / "timers" / "archive").exists()
    assert running.stop() == 0, running.output


@pytest.mark.soak
def test_a_run_that_takes_too_long_is_ended(group: Group) -> None:
    """And runs again at its time."""
    running = group("""
import dataclasses
from tollbook.supervisor import group, table
from tollbook.supervisor.schedule import Interval
(archive,) = [timer for timer in table.timers() if timer.name == "archive"]
group.timers = lambda cdr_dir: (
    dataclasses.replace(archive, schedule=Interval(first_s=0, again_s=0), arguments=("listen",), limit_s=1),
)
""")
    wait_until(started(running, "archive"), TIMEOUT_S)
    assert gone(pids(running, "archive")[0])
    assert running.stop() == 0, running.output


def test_a_missed_night_is_made_up_for(group: Group, tmp_path: Path) -> None:
    """The last `prune` began two days ago: it runs at once, and says so by its stamp."""
    stamp = tmp_path / "data" / "timers" / "prune"
    stamp.parent.mkdir(parents=True)
    stamp.touch()
    before_s = time.time() - 2 * 86_400
    os.utime(stamp, (before_s, before_s))
    running = group()
    wait_until(started(running, "prune", 1), TIMEOUT_S)
    assert stamp.stat().st_mtime > before_s + 86_400
    assert running.stop() == 0, running.output


@pytest.mark.soak
def test_as_process_1_it_waits_for_orphans_and_sigterm_ends_all(group: Group) -> None:
    """As in a container: the kernel gives it every orphan in there, and nothing in there outlives it."""
    ours = () if os.geteuid() == 0 else ("--user", "--map-current-user")
    running = group(
        """
import os, time
assert os.getpid() == 1
if not os.fork():
    if not os.fork():
        time.sleep(1)
        print("orphan ends", flush=True)
    os._exit(0)
""",
        under=("unshare", *ours, "--pid", "--fork", "--mount-proc", "--kill-child"),
    )
    up(running).wait_for("orphan ends")
    (first,) = children(running.process.pid)
    wait_until(lambda: len(children(first)) == 3, what=lambda: children(first))  # the services; not the two of above
    (switch_side, *others) = children(first)
    os.kill(switch_side, signal.SIGKILL)
    wait_until(started(running, "listen"), TIMEOUT_S)
    assert gone(switch_side)
    os.kill(first, signal.SIGTERM)
    assert running.process.wait(TIMEOUT_S) == 0, running.output
    assert gone(first)
    assert all(gone(other) for other in others)


def children(pid: int) -> list[int]:
    """The processes that it has to wait for, those that have ended among them."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.soak
def test_what_does_not_end_in_its_time_is_killed(group: Group) -> None:
    """A stop has a bound: a service that is stopped ends by SIGKILL, and the exit code says that it did."""
    running = up(
        group(
            "import dataclasses; from tollbook.supervisor import group\n"
            "group.SERVICES = tuple(dataclasses.replace(service, stop_s=1) for service in group.SERVICES)"
        )
    )
    os.kill(pids(running, "serve")[0], signal.SIGSTOP)
    assert running.stop() == 128 + signal.SIGKILL, running.output
    assert "serve does not end, and is killed" in running.output
    assert "stopped, everything written" in running.output


def test_it_goes_on_where_nobody_reads_its_log(group: Group, switch: SwitchThread, database_url: str) -> None:
    """Started with `2>&-`, a process of Python has no standard error at all."""
    running = group(closed=True)
    switch.wait_for_subscriber()
    switch.play(load_all(["outbound_answered"]), speed=20)
    with connect(database_url, name="test", autocommit=True) as connection:
        wait_until(lambda: scalar(connection, "SELECT count(*) FROM call_cdr WHERE end_ts IS NOT NULL"), TIMEOUT_S)
    assert running.stop() == 0
