"""`tollbook demo` does what the README promises a newcomer."""

import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import TOLLBOOK, Running, environment
from tests.waiting import wait_until


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A temporary folder that the server's user may enter."""
    with tempfile.TemporaryDirectory(prefix="tollbook-test-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def clean(scratch: Path) -> dict[str, str]:
    return environment() | {"TMPDIR": str(scratch)}


@pytest.fixture
def demo(tmp_path: Path, scratch: Path) -> Iterator[Running]:
    """A demo that has printed how to use it."""
    demo = Running(["demo"], clean(scratch), tmp_path / "demo.log")
    try:
        demo.wait_for("acct_alpha", 60)
        yield demo
    finally:
        demo.stop(timeout_s=60)


def test_demo_once_checks_itself_and_leaves_with_0(scratch: Path) -> None:
    done = subprocess.run([TOLLBOOK, "demo", "--once"], env=clean(scratch), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "13 calls played: every row right in the API, in CSV and in the archive." in done.stdout


def test_demo_once_leaves_with_1_and_the_difference(scratch: Path) -> None:
    """A row that differs from the recording's is named, shown by expecting a wrong price."""
    wrong = "from tollbook.demo import run, verdict; verdict.COSTS['outbound_answered'] = 7; run.once()"
    done = subprocess.run(
        [sys.executable, "-c", wrong], env=clean(scratch), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    for place in ("the API", "the CSV", "the archive"):
        assert f"cost_micros in {place} is 1200, must be 7" in done.stderr


def test_a_port_that_is_lost_before_the_api_binds_it_is_replaced(scratch: Path) -> None:
    """Another server may take the port between the demo's look at it and the API's bind, and answers there."""
    script = """
import http.server, threading
from tollbook.demo import run
other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=other.serve_forever, daemon=True).start()
free_port = run._free_port
run._free_port = lambda wanted: other.server_port if wanted else free_port(0)
run.once()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=clean(scratch), cwd=scratch, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "every row right in the API, in CSV and in the archive." in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.soak)])
def test_the_demo_s_curl_line_works_and_nothing_is_left_behind(demo: Running, scratch: Path, number: int) -> None:
    """The line it prints can be pasted; Ctrl-C or SIGTERM ends every process and removes every file."""
    line = re.search(r"^curl .*$", demo.output, re.MULTILINE)
    assert line
    pasted = subprocess.run(["bash", "-c", line[0] + " --silent"], capture_output=True, text=True, timeout=30)
    assert pasted.stdout.startswith("call_id,account_id,direction,from_num,to_num,start_ts")
    assert pasted.stdout.count("\n") > 1
    dashboard = re.search(r"dashboard +(http://\S+)", demo.output)
    assert dashboard
    with urllib.request.urlopen(dashboard[1], timeout=30) as page:
        assert b"<title>Tollbook</title>" in page.read()
    assert demo.stop(number, timeout_s=60) == 0
    assert "nothing is left behind" in demo.output
    assert processes("-f", str(scratch)) == []
    assert list(scratch.iterdir()) == []


def test_a_killed_demo_takes_its_processes_along(demo: Running) -> None:
    """kill -9 runs no clean-up of ours: the kernel ends the children, the database server among them."""
    children = processes("-P", str(demo.process.pid))
    assert len(children) >= 3
    demo.kill()
    wait_until(lambda: not any(map(runs, children)))


def processes(*chosen: str) -> list[str]:
    """Return the ids of the processes that `pgrep` finds."""
    return subprocess.run(["pgrep", *chosen], capture_output=True, text=True).stdout.split()


def runs(pid: str) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return "State:\tZ" not in Path("/proc", pid, "status").read_text()
    except FileNotFoundError:
        return False
