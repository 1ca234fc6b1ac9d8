"""The command `tollbook`: run in this process, run as installed, or started as a process that real signals end."""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.waiting import wait_until
from tollbook.cli import main

BIN = Path(sys.executable).parent
TOLLBOOK = BIN / "tollbook"

Done = subprocess.CompletedProcess[str]
Start = Callable[..., "Running"]
Tollbook = Callable[..., Done]


def environment(**settings: str) -> dict[str, str]:
    """Return this process's environment with these settings of Tollbook's, named without TOLLBOOK_, and no others."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("TOLLBOOK_", "PYICEBERG_"))}
    # No file of settings: this machine may have one, of a Tollbook that is at work.
    ours = {"env_file": ""} | settings
    return kept | {f"TOLLBOOK_{name.upper()}": value for name, value in ours.items()}


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def run_here(arguments: Sequence[str | bytes], environment: Mapping[str, str], folder: Path) -> Done:
    """Run `tollbook ARGUMENTS` in this process: a hundredth of the time that starting one takes.

    For commands that change nothing here: `listen` would patch the standard library, `serve` take the signals, `demo`
    start processes.
    """
    command = ["tollbook", *(os.fsdecode(argument) for argument in arguments)]
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as out,
        tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as err,
    ):
        with (
            contextlib.chdir(folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            patch.dict(os.environ, environment, clear=True),
            patch.object(sys, "argv", command),
            pytest.raises(SystemExit) as ended,
        ):
            main()
        root.handlers[:] = handlers  # `log.setup` has replaced pytest's
        root.setLevel(level)
        for file in (out, err):
            file.seek(0)
        done = Done(command, int(ended.value.code or 0), out.read(), err.read())
    assert "Traceback" not in done.stderr, done.stderr
    return done


def run_installed(arguments: Sequence[str | bytes], environment: Mapping[str, str], folder: Path) -> Done:
    """Run the installed `tollbook ARGUMENTS` as a process to its end."""
    command = [os.fsencode(TOLLBOOK), *(os.fsencode(argument) for argument in arguments)]
    ended = subprocess.run(command, env=environment, cwd=folder, capture_output=True, timeout=120, check=False)
    # Not text=True: that would make one byte of the two with which a line of CSV ends.
    done = Done(command, ended.returncode, ended.stdout.decode(), ended.stderr.decode())
    assert "Traceback" not in done.stderr, done.stderr
    return done


class Running:
    """A `tollbook` process; its output goes to a file, so that it never waits for a reader.

    `program`: what is run in its place.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        program: Sequence[str | Path] = (TOLLBOOK,),
    ) -> None:
        self._log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [*program, *arguments], env=environment, stdout=file, stderr=subprocess.STDOUT, cwd=log.parent,
                preexec_fn=_as_in_a_terminal,
            )  # fmt: skip

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


def _as_in_a_terminal() -> None:
    """A shell starts what it runs in the background with SIGINT ignored, and we may be that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
