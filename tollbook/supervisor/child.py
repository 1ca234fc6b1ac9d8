"""A `tollbook` command as a child of the group: its log lines, its signs of life, its end."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from tollbook.process import die_with_parent, own_command

_CHUNK_BYTES: Final = 65_536
# A line of ours has a few hundred; what has no end in these is written in pieces.
_MAX_LINE_BYTES: Final = 65_536


class Child:
    """A started command. The group waits for it, with all other children, and sets its exit code."""

    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str], *, nice: int = 0) -> None:
        """Start the command. Call from the main thread: the kernel counts the death of the thread that forked.

        Raises OSError.
        """
        self._prefix = f"{name}: ".encode()
        self._line = bytearray()
        self._process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            own_command(arguments),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=_become(nice),
        )
        assert self._process.stdout is not None  # a pipe was asked for
        self.pipe = self._process.stdout.fileno()
        os.set_blocking(self.pipe, False)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code, negative after a signal; None while the command runs."""
        return self._process.returncode

    def ended(self, code: int) -> None:
        """Note that the process was waited for, and its exit code."""
        self._process.returncode = code

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if the command still runs."""
        if self.code is None:
            self._process.send_signal(number)

    def copy_lines(self) -> bool:
        """Write to standard error what the command has said, each line after its name; return whether more may come."""
        with suppress(BlockingIOError):
            while data := os.read(self.pipe, _CHUNK_BYTES):
                self._line += data
                *lines, rest = self._line.split(b"\n")
                self._line = bytearray(rest)
                for line in lines:
                    self._write(line)
                if len(self._line) > _MAX_LINE_BYTES:
                    self._write(self._line)
                    self._line.clear()
            return False
        return True

    def close(self) -> None:
        """Write what is left of its lines, and close the pipe."""
        self.copy_lines()
        if self._line:
            self._write(self._line)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _write(self, line: bytes | bytearray) -> None:
        if sys.stderr is None:  # closed when we were started, as by `2>&-`
            return
        with suppress(OSError):  # nobody reads the log any more: calls are recorded all the same
            sys.stderr.buffer.write(self._prefix + line + b"\n")
            sys.stderr.buffer.flush()


def _become(nice: int) -> Callable[[], None]:
    die = die_with_parent(signal.SIGTERM)

    def become() -> None:
        die()
        os.nice(nice)

    return become
