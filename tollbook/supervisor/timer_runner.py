"""Runs one timer's command at its times, never twice at once."""

import logging
import random
import signal
import time
from pathlib import Path

from tollbook.log import log_line
from tollbook.supervisor.child import Child
from tollbook.supervisor.schedule import Daily
from tollbook.supervisor.service_runner import Start
from tollbook.supervisor.table import TIMER_NICE, TIMER_STOP_S, Timer

_log = logging.getLogger("tollbook.run")


class TimerRunner:
    """One timer of the group. When a run began is kept in a file, so that one that was missed is made up for."""

    def __init__(self, timer: Timer, start: Start, stamps: Path) -> None:
        """`stamps`: the folder of these files."""
        self.timer = timer
        self.child: Child | None = None
        self._start = start
        self._stamp = stamps / timer.name
        self._clock = time.time if isinstance(timer.schedule, Daily) else time.monotonic
        self._begun_s = self._seen_s = self._clock()
        self._limit_s = 0.0
        self._ended_s: float | None = None
        self._due_s = self._next_s()

    def step(self) -> None:
        """Do what is due: start a run, end one that takes too long, note its end."""
        child, now_s = self.child, self._clock()
        if now_s < self._seen_s:  # set back, perhaps by years: what was due by the wrong clock would never be
            self._begun_s = min(self._begun_s, now_s)
            self._due_s = min(self._due_s, self._next_s())
        self._seen_s = now_s
        if child is None:
            if now_s >= self._due_s:
                self._begin(now_s)
            return
        if child.code is None:
            self._end_if_overdue(child)
            return
        child.close()
        self.child, self._ended_s = None, now_s
        self._due_s = self._next_s()
        if child.code:
            log_line(_log, logging.ERROR, f"{self.timer.name} failed, and runs again at its time", code=child.code)

    def _begin(self, now_s: float) -> None:
        if self.timer.folder is None or self.timer.folder.is_dir():
            self._keep_stamp()
            self._limit_s = time.monotonic() + self.timer.limit_s
            self.child = self._start(self.timer.name, self.timer.arguments, {}, TIMER_NICE)
        if self.child is None:
            self._ended_s = now_s
            self._due_s = self._next_s()

    def _end_if_overdue(self, child: Child) -> None:
        over_s = time.monotonic() - self._limit_s
        if over_s > TIMER_STOP_S:
            child.send(signal.SIGKILL)
        elif over_s > 0:
            child.send(signal.SIGTERM)

    def _next_s(self) -> float:
        return self.timer.schedule.due_s(
            begun_s=self._begun_s,
            last_s=self._last_s(),
            ended_s=self._ended_s,
            chance=random.random(),  # noqa: S311 - no secret
        )

    def _last_s(self) -> float | None:
        try:
            return min(self._stamp.stat().st_mtime, self._clock())  # the clock may have been set back since
        except OSError:
            return None

    def _keep_stamp(self) -> None:
        try:
            self._stamp.parent.mkdir(parents=True, exist_ok=True)
            self._stamp.touch()
        except OSError as error:
            message = f"{self._stamp} cannot be written: a run that is missed is not made up for"
            log_line(_log, logging.WARNING, message, reason=error.strerror)
