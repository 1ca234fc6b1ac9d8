"""`tollbook demo`: what the README promises a newcomer."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

TOLLBOOK = Path(sys.executable).with_name("tollbook")


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder for temporary files that the server's user may enter."""
    with tempfile.TemporaryDirectory(prefix="tollbook-test-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def clean(scratch: Path) -> dict[str, str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TOLLBOOK_")}
    return environment | {"TMPDIR": str(scratch)}


def as_in_a_terminal() -> None:
    """A shell starts what it runs in the background with SIGINT ignored, and we may be that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def processes_below(folder: Path) -> list[str]:
    return subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, text=True).stdout.split()


def test_demo_once_checks_itself_and_leaves_with_0(scratch: Path) -> None:
    done = subprocess.run([TOLLBOOK, "demo", "--once"], env=clean(scratch), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "13 calls played: every row right in the API, in CSV and in the archive." in done.stdout


def test_demo_once_leaves_with_1_and_the_difference(scratch: Path) -> None:
    """A row that is not what the recording must give is named: shown by expecting a wrong price."""
    wrong = "from tollbook.demo import run, verdict; verdict.COSTS['outbound_answered'] = 7; run.once()"
    done = subprocess.run(
        [sys.executable, "-c", wrong], env=clean(scratch), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    for place in ("the API", "the CSV", "the archive"):
        assert f"cost_micros in {place} is 1200, must be 7" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_s_curl_line_works_and_nothing_is_left_behind(tmp_path: Path, scratch: Path, number: int) -> None:
    """The line it prints can be pasted; Ctrl-C or SIGTERM ends every process and removes every file."""
    log = tmp_path / "demo.log"
    with log.open("w") as out:
        demo = subprocess.Popen(
            [TOLLBOOK, "demo"], env=clean(scratch), stdout=out, stderr=out, preexec_fn=as_in_a_terminal
        )
    try:
        deadline = time.monotonic() + 60
        while "acct_alpha" not in log.read_text():
            assert demo.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        line = re.search(r"^curl .*$", log.read_text(), re.MULTILINE)
        assert line
        pasted = subprocess.run(["bash", "-c", line[0] + " --silent"], capture_output=True, text=True, timeout=30)
        assert pasted.stdout.startswith("call_id,account_id,direction,from_num,to_num,start_ts")
        assert pasted.stdout.count("\n") > 1
        told = re.search(r"dashboard +(http://\S+)", log.read_text())
        assert told
        with urllib.request.urlopen(told[1], timeout=30) as page:
            assert b"<title>Tollbook</title>" in page.read()
    finally:
        demo.send_signal(number)
        demo.wait(60)
    assert demo.returncode == 0
    assert "nothing is left behind" in log.read_text()
    assert not processes_below(scratch)
    assert not list(scratch.iterdir())


def test_a_killed_demo_takes_its_processes_along(tmp_path: Path, scratch: Path) -> None:
    """kill -9 runs no clean-up of ours: the kernel ends the children, the database server among them."""
    log = tmp_path / "demo.log"
    with log.open("w") as out:
        demo = subprocess.Popen(
            [TOLLBOOK, "demo"], env=clean(scratch), stdout=out, stderr=out, preexec_fn=as_in_a_terminal
        )
    deadline = time.monotonic() + 60
    while "curl" not in log.read_text():
        assert demo.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    mine = subprocess.run(["pgrep", "-P", str(demo.pid)], capture_output=True, text=True).stdout.split()
    assert len(mine) >= 3
    demo.kill()
    demo.wait(10)
    deadline = time.monotonic() + 30
    while any(Path("/proc", pid).exists() and _runs(pid) for pid in mine):
        assert time.monotonic() < deadline, f"still running: {mine}"
        time.sleep(0.1)


def _runs(pid: str) -> bool:
    try:
        return "State:\tZ" not in Path("/proc", pid, "status").read_text()
    except FileNotFoundError:
        return False
