"""The installed command as a real process, with real signals."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TOLLBOOK = Path(sys.executable).with_name("tollbook")


class Running:
    """A `tollbook` process; its output goes to a file, so that it never waits for a reader."""

    def __init__(self, arguments: list[str], environment: dict[str, str], log: Path) -> None:
        self._log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [TOLLBOOK, *arguments], env=environment, stdout=file, stderr=subprocess.STDOUT, cwd=log.parent
            )

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_for(self, text: str, timeout_s: float = 20.0) -> None:
        """Wait until the process has said `text`."""
        deadline = time.monotonic() + timeout_s
        while text not in self.output:
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.output}"
            assert time.monotonic() < deadline, f"{text!r} not said within {timeout_s} s:\n{self.output}"
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 30.0) -> int:
        """Send a signal, wait for the end, and give the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout_s)


Start = Callable[..., Running]


@pytest.fixture
def start(database_url: str, tmp_path: Path) -> Iterator[Start]:
    """Start `tollbook ARGUMENTS` on the test's database; whatever still runs at the end is killed."""
    started: list[Running] = []

    def begin(*arguments: str, **settings: str) -> Running:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TOLLBOOK_")}
        environment |= {"TOLLBOOK_DATABASE_URL": database_url, "TOLLBOOK_DATA_DIR": str(tmp_path / "data")}
        environment |= {f"TOLLBOOK_{key.upper()}": value for key, value in settings.items()}
        running = Running(list(arguments), environment, tmp_path / f"{arguments[0]}-{len(started)}.log")
        started.append(running)
        return running

    yield begin
    for running in started:
        if running.process.poll() is None:
            running.process.kill()
        running.process.wait(10)
