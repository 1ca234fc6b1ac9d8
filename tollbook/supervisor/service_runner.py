"""Keeps one service running: starts it, and starts it again when it dies or hangs."""

import logging
import os
import signal
from collections.abc import Callable
from typing import Final, TypeAlias

from tollbook.backoff import Backoff
from tollbook.log import log_line
from tollbook.supervisor.child import Child
from tollbook.supervisor.table import Service

_log = logging.getLogger("tollbook.run")

#: Starts a command: its name, its arguments, what its environment has beside ours, and how nice it is. None: failed.
Start: TypeAlias = Callable[[str, tuple[str, ...], dict[str, str], int], Child | None]

# A crash costs what ends before the listener is back, so the first restart is at once.
_RESTART: Final = Backoff(first_s=0.5, longest_s=30.0)
# The group looks twice a second. After a longer gap it was stopped itself (`docker pause`, a log that nobody reads),
# and the services with it, or their signs of life wait unread.
_STOPPED_S: Final = 5.0
# A service that was up for so long has not failed again, but anew.
_SOUND_S: Final = 60.0

#: No restart mends these: the switch refuses us, or a setting or the schema is wrong (tollbook/errors.py).
HOPELESS: Final = frozenset({os.EX_NOPERM, os.EX_CONFIG})


class ServiceRunner:
    """One service of the group. `tried`: it is ready, or was not the first time, so that the next one may start."""

    def __init__(self, service: Service, start: Start) -> None:
        self.service = service
        self.child: Child | None = None
        self.ready = False
        self.tried = False
        self._start = start
        self._failures = 0
        self._begun_s = 0.0
        self._beat_s = 0.0
        self._looked_s = 0.0
        self._not_before_s = 0.0

    def step(self, now_s: float) -> int | None:
        """Do what is due; return the exit code with which the service ended if no restart mends that."""
        child = self.child
        if child is None:
            if now_s >= self._not_before_s:
                self._begin(now_s)
            return None
        if child.code is None:
            self._end_if_hung(child, now_s)
            return None
        child.close()
        self.child, self.ready, self.tried = None, False, True
        if child.code in HOPELESS:
            return child.code
        pause_s = self._pause(now_s)
        message = f"{self.service.name} ended, and is started again"
        log_line(_log, logging.ERROR, message, code=child.code, seconds=round(pause_s, 1))
        return None

    def heard(self, states: str, now_s: float) -> None:
        """Note what the service has said: that it is ready, or that it lives."""
        self._beat_s = now_s
        if "READY=1" in states.splitlines() and not self.ready:
            self.ready = self.tried = True
            log_line(_log, logging.INFO, f"{self.service.name} ready")

    def _begin(self, now_s: float) -> None:
        self._begun_s = self._beat_s = now_s
        settings = {"WATCHDOG_USEC": str(int(self.service.watchdog_s * 1_000_000))}
        self.child = self._start(self.service.name, self.service.arguments, settings, 0)
        if self.child is None:
            self._pause(now_s)

    def _pause(self, now_s: float) -> float:
        """Set when the service is started again; return after how many seconds."""
        self._failures = 1 if now_s - self._begun_s > _SOUND_S else self._failures + 1
        pause_s = _RESTART.wait_s(self._failures - 1)
        self._not_before_s = now_s + pause_s
        return pause_s

    def _end_if_hung(self, child: Child, now_s: float) -> None:
        if now_s - self._looked_s > _STOPPED_S:
            self._beat_s = now_s
        self._looked_s = now_s
        limit_s = self.service.watchdog_s if self.ready else self.service.start_s
        if now_s - self._beat_s > limit_s:
            what = "gives no sign of life" if self.ready else "is not ready"
            log_line(_log, logging.ERROR, f"{self.service.name} {what}, and is killed", seconds=limit_s)
            child.send(signal.SIGKILL)
            self._beat_s = now_s
