"""`.ci/beside`, which runs two parts of `.ci/run` at the same time: what either says when it fails is seen."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.waiting import wait_until

BESIDE = str(ROOT / ".ci" / "beside")
KILLED = 128 + signal.SIGKILL


def beside(first: str, second: str) -> "subprocess.CompletedProcess[str]":
    """Run it as `.ci/run` does, in a shell that ends with what fails."""
    script = '"$0" sh -c "$1" -- sh -c "$2"; echo all passed'
    command = ["bash", "-euc", script, BESIDE, first, second]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        ("seq 100 105; exit 3", "echo two", 3),
        ("seq 100 105; kill -KILL $$", "echo two", KILLED),
        ("seq 100 105", "echo two; exit 4", 4),
        ("seq 100 105", "echo two; kill -KILL $$", KILLED),
        ("seq 100 105; exit 3", "echo two; exit 4", 4),
        ("seq 100 105; sleep 0.5; exit 3", "echo two; exit 4", 4),  # the first one ends after the second
    ],
)
def test_what_fails_in_either_part_fails_the_run_and_is_seen(first: str, second: str, code: int) -> None:
    """Also one that is killed, and also both: each is named."""
    done = beside(first, second)
    assert done.returncode == code
    assert "two" in done.stdout
    assert "105" in done.stdout
    assert ("100" in done.stdout) == ("exit 3" in first or "kill" in first)
    assert done.stdout.count("FAILED, with ") == ("exit" in first or "kill" in first) + (
        "exit" in second or "kill" in second
    )
    assert "all passed" not in done.stdout


def test_when_both_pass_the_run_goes_on() -> None:
    """With the last lines of the first part, where pytest counts its tests."""
    done = beside("seq 100 105", "echo two")
    assert done.stdout.split() == ["two", "103", "104", "105", "all", "passed"]
    assert done.returncode == 0


def test_nothing_is_left_running_after_a_signal(tmp_path: Path) -> None:
    """Neither part: one would go on beside the next run."""
    waits = 'echo $$ >"{}"; sleep 60; true'
    pids = [tmp_path / "first", tmp_path / "second"]
    first, second = (waits.format(pid) for pid in pids)
    with subprocess.Popen([BESIDE, "sh", "-c", first, "--", "sh", "-c", second]) as running:
        wait_until(lambda: all(pid.exists() and pid.read_text() for pid in pids))
        running.send_signal(signal.SIGTERM)
    for pid in pids:
        wait_until(lambda pid=pid: not Path("/proc", pid.read_text().strip()).exists(), 10)
