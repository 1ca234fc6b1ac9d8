"""The processes of a demo: real `tollbook` commands that log to files and are stopped in order."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tollbook.errors import TollbookError
from tollbook.process import die_with_parent, own_command

_COMMAND_TIMEOUT_S = 120.0
_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 30.0
_TAIL_LINES = 15


@dataclass(frozen=True, kw_only=True)
class _Started:
    arguments: tuple[str, ...]
    ready: Callable[[], bool]
    settings: Mapping[str, str]
    process: subprocess.Popen[bytes]


class Processes:
    """Runs `tollbook` commands with the same settings. Each has a log file in `folder`."""

    def __init__(self, folder: Path, settings: Mapping[str, str], *, keep: bool) -> None:
        """`keep`: pass on the TOLLBOOK_ settings of our own environment too; those in `settings` win."""
        self._folder = folder
        mine = {key: value for key, value in os.environ.items() if not key.startswith("PYICEBERG_")}
        if not keep:
            mine = {key: value for key, value in mine.items() if not key.startswith("TOLLBOOK_")}
        self._environment = {**mine, **settings}
        self._running: dict[str, _Started] = {}

    def run(self, *arguments: str) -> str:
        """Run a command to its end and return what it printed. Raises TollbookError with the command's own message."""
        done = subprocess.run(  # noqa: S603 - our own command, no shell
            own_command(arguments),
            env=self._environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=_COMMAND_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            raise TollbookError(f"`tollbook {' '.join(arguments)}` failed: {done.stderr.strip()}")
        return done.stdout.strip()

    def start(self, *arguments: str, ready: Callable[[], bool], settings: Mapping[str, str] | None = None) -> None:
        """Start a command, with `settings` of its own, and wait until it is ready.

        Raises TollbookError with the end of its log.
        """
        name, settings = arguments[0], settings or {}
        with self._log(name).open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - our own command, no shell
                own_command(arguments),
                env={**self._environment, **settings},
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(signal.SIGTERM),
            )
        self._running[name] = _Started(arguments=arguments, ready=ready, settings=settings, process=process)
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise TollbookError(f"`tollbook {name}` did not come up:\n{self._tail(name)}")
            time.sleep(0.05)

    def check(self) -> None:
        """Raise TollbookError when a started process has ended."""
        for name, started in self._running.items():
            if started.process.poll() is not None:
                raise TollbookError(f"`tollbook {name}` ended with {started.process.returncode}:\n{self._tail(name)}")

    def start_killed(self) -> list[str]:
        """Start again what somebody killed, as systemd would; return the commands.

        Raises TollbookError when a process has ended by itself, or does not come up again.
        """
        killed = [started for started in self._running.values() if (started.process.poll() or 0) < 0]
        for started in killed:
            self.start(*started.arguments, ready=started.ready, settings=started.settings)
        self.check()
        return [" ".join(started.arguments) for started in killed]

    def stop(self) -> None:
        """Stop all processes, the last one that was started first."""
        for started in reversed(self._running.values()):
            process = started.process
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _tail(self, name: str) -> str:
        return "\n".join(self._log(name).read_text(errors="replace").splitlines()[-_TAIL_LINES:])
