"""The installed command: run to its end, or started and stopped with real signals."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.waiting import wait_until

BIN = Path(sys.executable).parent
TOLLBOOK = BIN / "tollbook"

Start = Callable[..., "Running"]
Tollbook = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(**settings: str) -> dict[str, str]:
    """Return this process's environment with these settings of Tollbook's, named without TOLLBOOK_, and no others."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("TOLLBOOK_", "PYICEBERG_"))}
    return kept | {f"TOLLBOOK_{name.upper()}": value for name, value in settings.items()}


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


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

        def said() -> bool:
            ended = self.process.poll() is not None  # before its output is read, so that the last of it counts
            if text in self.output:
                return True
            assert not ended, f"ended with {self.process.returncode}:\n{self.output}"
            return False

        wait_until(said, timeout_s, what=lambda: f"for {text!r} in:\n{self.output}")

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 30.0) -> int:
        """Send a signal, wait for the end, and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout_s)

    def end(self) -> None:
        """Send SIGTERM, and check that the process ends in order."""
        assert self.stop() == 0, self.output
        assert "Traceback" not in self.output

    def kill(self) -> None:
        """Send SIGKILL, if it still runs, and wait for the end."""
        self.stop(signal.SIGKILL)
