"""Logging for all processes: one line per event on standard error, with `key=value` pairs after the message.

systemd's journal adds the time and the unit; on a terminal the line begins with the time.
"""

import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar

# Values that callers chose can contain escape sequences; a log line must stay one line of plain text. The last ranges
# end a line, or change the direction in which it is read.
_CONTROLS = (*range(32), *range(127, 160), *range(0x2028, 0x202F), *range(0x2066, 0x206A))
_ESCAPES = {code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in _CONTROLS}
_MAX_CHARACTERS = 200
_PLAIN = re.compile(r"""[^\s"=\\]+""")
_QUOTES = {ord('"'): '\\"', ord("\\"): r"\\"}


def one_line(text: str) -> str:
    """Return a text as one line for a log or a terminal: control characters escaped."""
    return text.translate(_ESCAPES)


def printable(value: object) -> str:
    """Return a value as text for a log line or a terminal: control characters escaped, at most 200 characters."""
    text = one_line(str(value))
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}…"


def setup(level: str = "info") -> None:
    """Send log records of `level` and above to standard error."""
    under_systemd = "JOURNAL_STREAM" in os.environ
    line = "%(levelname)s %(name)s: %(message)s"
    logging.basicConfig(
        level=level.upper(),
        stream=sys.stderr,
        format=line if under_systemd else f"%(asctime)s {line}",
        force=True,
    )


def _quoted(value: object) -> str:
    """Return a value as it stands, or in quotes where it could be read as several values, or as another one's end."""
    text = str(value)
    if _PLAIN.fullmatch(text) and text.isprintable() and len(text) <= _MAX_CHARACTERS:
        return text
    return f'"{printable(text.translate(_QUOTES))}"'


def log_line(logger: logging.Logger, level: int, message: str, **fields: Any) -> None:
    """Log `message` followed by ` key=value` for each field, each value printable, and quoted if need be."""
    if logger.isEnabledFor(level):
        pairs = "".join(f" {name}={_quoted(value)}" for name, value in fields.items())
        logger.log(level, "%s%s", message, pairs)


class Outage:
    """What fails again and again until it is repaired, in few lines: one at its start, one a minute, one at its end.

    Whoever tries calls `fail` after each failure and `end` after each success, from any thread. A failure that is worse
    than those before (`level`) has a line at once. What fails only now and then is one outage: it ends with the first
    success `settle_s` after the last failure. What fails `within` another outage, because of that one, says nothing
    while that is on, nor at its own first failure: the other may only not be noticed yet.
    """

    #: Often enough to see that it lasts, and rarely enough that an outage of a night buries nothing else in the log.
    every_s: ClassVar[float] = 60.0

    def __init__(
        self,
        logger: logging.Logger,
        *,
        settle_s: float = 0.0,
        within: "Outage | None" = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logger = logger
        self._settle_s = settle_s
        self._within = within
        self._clock = clock
        self._lock = threading.Lock()
        self._begun_s: float | None = None
        self._failed_s = 0.0
        self._next_line_s = 0.0
        self._worst = logging.NOTSET
        self._failures = 0

    @property
    def is_on(self) -> bool:
        """Whether it has begun and not ended."""
        return self._begun_s is not None

    def fail(self, level: int, message: str, **fields: Any) -> None:
        """Note a failure, and log it if it is the first, the worst, or the first for a minute."""
        if self._within is not None and self._within.is_on:
            return
        with self._lock:
            now_s = self._clock()
            if self._begun_s is None:
                self._begun_s, self._failures, self._worst = now_s, 0, logging.NOTSET
            self._failures += 1
            self._failed_s = now_s
            if self._within is not None and self._failures == 1:
                return
            if level <= self._worst and now_s < self._next_line_s:
                return
            self._worst, self._next_line_s = max(level, self._worst), now_s + self.every_s
            if self._failures > 1:
                fields |= self._so_far("for_s", now_s)
        log_line(self._logger, level, message, **fields)

    def end(self, level: int, message: str, **fields: Any) -> None:
        """Note a success, and log it if an outage ends with it."""
        if not self.is_on:  # without the lock: as a rule all is well, and this is called often
            return
        with self._lock:
            now_s = self._clock()
            if self._begun_s is None or now_s - self._failed_s < self._settle_s:
                return
            fields |= self._so_far("lasted_s", now_s)
            self._begun_s = None
            has_line = self._worst != logging.NOTSET
        if has_line:
            log_line(self._logger, level, message, **fields)

    def _so_far(self, name: str, now_s: float) -> dict[str, object]:
        assert self._begun_s is not None
        return {name: round(now_s - self._begun_s), "failures": self._failures}
