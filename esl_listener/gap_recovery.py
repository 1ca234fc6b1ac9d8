"""Runs `tollbook recover` after each connect: what ended while nobody listened is in the switch's CDR files.

A process of its own: it neither delays the reader and the writer, nor can it take them with it.
"""

import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import gevent
from gevent.event import Event

from esl_listener.metrics import Metrics
from tollbook.backoff import Backoff
from tollbook.log import log_line
from tollbook.process import die_with_parent, own_command

_log = logging.getLogger("tollbook.recovery")

# A switch writes a leg's file within milliseconds after its end; and switches that come back together need one run.
SETTLE_S = 2.0
# A switch that accepts and drops us every other second would otherwise keep a processor busy with empty folders.
AT_MOST_EVERY_S = 15.0
# Another `recover`, the timer's, may have listed the files before those of our gap: wait for its end.
WAIT_S = 600.0
# A million files take half an hour. What a run that is ended has not read, the next one reads.
LIMIT_S = 3600.0
# After a failure. PostgreSQL may be away, and whatever else is wrong, nobody wants to read it more often.
RETRY = Backoff(first_s=30.0, longest_s=600.0)
_END_TIMEOUT_S = 5.0
# Recording calls comes first.
_NICE = 10


class GapRecovery:
    """Recovers a folder when it is asked to, one run at a time; failures are logged, counted and tried again."""

    def __init__(self, folder: Path, metrics: Metrics) -> None:
        self._command = own_command(("recover", f"--wait={WAIT_S:.0f}", str(folder)))
        self._metrics = metrics
        self._asked = Event()

    def ask(self) -> None:
        """Ask for a run that begins after now."""
        self._asked.set()

    def run(self) -> None:
        """Run whenever it is asked for, until killed."""
        failures, not_before_s = 0, 0.0
        while True:
            self._asked.wait(RETRY.wait_s(failures - 1) if failures else None)
            gevent.sleep(max(SETTLE_S, not_before_s - time.monotonic()))
            self._asked.clear()
            self._metrics.recoveries += 1
            problem = self._recover()
            not_before_s = time.monotonic() + AT_MOST_EVERY_S
            if problem is None:
                failures = 0
                continue
            failures += 1
            self._metrics.recoveries_failed += 1
            log_line(_log, logging.ERROR, "the CDR files were not all read, and will be tried again", reason=problem)

    def _recover(self) -> str | None:
        """Run the command once; return what went wrong. Its log lines go where ours go."""
        try:
            child = subprocess.Popen(  # noqa: S603 - our own command, no shell
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
                preexec_fn=_become_nice(),
            )
        except OSError as error:
            return f"{self._command[0]}: {error.strerror}"
        begun_s = time.monotonic()
        try:
            said, _ = child.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            return f"it took longer than {LIMIT_S:.0f} s"
        finally:
            _end(child)
        if child.returncode:
            return f"`tollbook recover` ended with {child.returncode}"
        log_line(_log, logging.INFO, said.strip(), seconds=round(time.monotonic() - begun_s, 1))
        return None


def _become_nice() -> Callable[[], None]:
    become = die_with_parent(signal.SIGTERM)

    def nicely() -> None:
        become()
        os.nice(_NICE)

    return nicely


def _end(child: "subprocess.Popen[str]") -> None:
    """End a process that still runs: its batch is rolled back, and nothing is lost."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
