"""`tollbook demo` does what the README promises a newcomer."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.commands import TOLLBOOK, Running, environment
from tests.waiting import wait_until
from tollbook.scratch import scratch_folder


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
from tollbook.simulator.thread import SwitchThread
other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=other.serve_forever, daemon=True).start()
free_port = run._free_port
run._free_port = lambda wanted: other.server_port if wanted else free_port(0)
with run._folder() as folder, SwitchThread() as switch, run._started(folder, switch.url) as demo:
    print("elsewhere" if str(other.server_port) not in demo.export.url else "there", demo.export.rows(demo.since_ms))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=clean(scratch), cwd=scratch, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "elsewhere []" in done.stdout


@pytest.mark.parametrize(
    "number", [signal.SIGHUP, *(pytest.param(one, marks=pytest.mark.soak) for one in (signal.SIGINT, signal.SIGTERM))]
)
def test_the_demo_s_curl_line_works_and_nothing_is_left_behind(demo: Running, scratch: Path, number: int) -> None:
    """The line it prints can be pasted; any signal but SIGKILL ends every process and removes every file."""
    line = re.search(r"^curl .*$", demo.output, re.MULTILINE)
    assert line
    pasted = subprocess.run(["bash", "-c", line[0] + " --silent"], capture_output=True, text=True, timeout=30)
    assert pasted.stdout.startswith("call_id,account_id,direction,from_num,to_num,start_ts")
    assert pasted.stdout.count("\n") > 1
    line = re.search(r"^export .*$", demo.output, re.MULTILINE)
    assert line
    pasted = subprocess.run(["bash", "-c", line[0]], env=clean(scratch), capture_output=True, text=True, timeout=60)
    assert re.search(r"database +PostgreSQL", pasted.stdout), pasted.stdout
    assert re.search(r"OK +switch 127\.0\.0\.1:\d+ ", pasted.stdout), pasted.stdout
    dashboard = re.search(r"dashboard +(http://\S+)/", demo.output)
    assert dashboard
    assert re.search(rf"OK +API +{dashboard[1]} is ready", pasted.stdout), pasted.stdout
    with urllib.request.urlopen(f"{dashboard[1]}/", timeout=30) as page:
        assert b"<title>Tollbook</title>" in page.read()
    assert demo.stop(number, timeout_s=60) == 0
    assert "nothing is left behind" in demo.output
    assert processes("-f", str(scratch)) == []
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("command", ["listen", "serve"])
def test_what_is_killed_is_started_again(demo: Running, command: str) -> None:
    """As systemd would: calls go on to come, and the demo does not end."""
    (killed,) = processes("-P", str(demo.process.pid), "-f", f"tollbook {command}")
    os.kill(int(killed), signal.SIGKILL)
    demo.wait_for(f"`tollbook {command}` was killed, and is started again", 60)
    shown = demo.output.count("acct_alpha")
    wait_until(lambda: demo.output.count("acct_alpha") > shown, timeout_s=60)
    (again,) = processes("-P", str(demo.process.pid), "-f", f"tollbook {command}")
    assert again != killed


@pytest.fixture
def taken() -> Iterator[None]:
    """Port 8080, taken by us or by somebody else."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # beside connections of a demo that has ended
        with suppress(OSError):
            other.bind(("127.0.0.1", 8080))
            other.listen()
        yield


def test_a_killed_demo_takes_its_processes_along(
    taken: None, demo: Running, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 runs no clean-up of ours: the kernel ends the children, and the next demo removes the folders."""
    assert re.search(r"^port 8080 of 127\.0\.0\.1 is taken: the API is at http://\S+$", demo.output, re.MULTILINE)
    children = processes("-P", str(demo.process.pid))
    assert len(children) >= 3
    demo.kill()
    wait_until(lambda: not any(map(runs, children)))
    assert len(list(scratch.iterdir())) == 2
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    for prefix in ("tollbook-demo-", "tollbook-pg-"):
        with scratch_folder(prefix):
            assert len(list(scratch.glob(f"{prefix}*"))) == 1
    assert list(scratch.iterdir()) == []
    del taken


def processes(*chosen: str) -> list[str]:
    """Return the ids of the processes that `pgrep` finds."""
    return subprocess.run(["pgrep", *chosen], capture_output=True, text=True).stdout.split()


def runs(pid: str) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return "State:\tZ" not in Path("/proc", pid, "status").read_text()
    except FileNotFoundError:
        return False
