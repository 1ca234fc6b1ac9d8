"""The spooler: moves legs from the inbox to the spool while PostgreSQL is away, and segments back to the writer."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from gevent.event import Event
from gevent.threadpool import ThreadPool

from esl_listener.dead_letter import save_damaged
from esl_listener.inbox import Inbox
from esl_listener.metrics import Metrics
from esl_listener.segment import Segment
from esl_listener.spool import Spool
from tollbook.log import Outage, log_line

_log = logging.getLogger("tollbook.spool")

# An outage is noticed within this time; checking more often would only cost a quiet listener.
_CHECK_EVERY_S = 0.2
# One fsync for what came in this time, and for at most so many legs (3 MB).
_GATHER_S = 0.05
_MOST_LEGS = 2_000
# What a listener leaves behind that ends after the others have started would wait for the next start.
_ADOPT_EVERY_S = 10.0
# A disk that is full or read-only is tried again after this time.
_TRY_AGAIN_S = 1.0


class Spooler:
    """Moves legs to the spool while the writer is away or too slow.

    While older legs wait in the spool, new ones go there too, after them. When the spool is full or cannot be written,
    legs stay in the inbox: that is an alarm (`problem`), and the inbox's bound is the next limit.
    """

    def __init__(self, inbox: Inbox, spool: Spool, metrics: Metrics, dead_letters: Path, outage: Outage) -> None:
        """Take what it works on, and the outage of PostgreSQL: `outage` ends once all that was spooled is written."""
        self._inbox = inbox
        self._spool = spool
        self._metrics = metrics
        self._dead_letters = dead_letters
        # One thread does all of the spool's I/O: a slow disk holds up nothing else, and nothing needs a lock.
        self._disk = ThreadPool(1)
        self._stop = Event()
        self._outage = outage
        # Legs that an earlier listener left belong to its outage, so the end of that one is reported too.
        self._has_spooled = spool.waiting > 0
        self._disk_outage = Outage(_log)
        self.problem = ""

    @property
    def waiting(self) -> int:
        """Count the segments that the writer has not taken yet."""
        return self._spool.waiting

    @property
    def bytes(self) -> int:
        """The size of the spool."""
        return self._spool.bytes

    def run(self, away: Callable[[], bool]) -> None:
        """Move legs while `away()`, or while too many or older ones wait.

        Once stopped, move everything that is left and return; what the disk refuses stays in the inbox.
        """
        looked_s = time.monotonic()
        while not self._stop.is_set():
            if not (away() or self.waiting or self._inbox.overflows):
                self._report_end()
                if time.monotonic() - looked_s > _ADOPT_EVERY_S:
                    self._disk.apply(self._spool.adopt_all)
                    looked_s = time.monotonic()
                self._stop.wait(_CHECK_EVERY_S)
            elif not self._move():
                self._stop.wait(_TRY_AGAIN_S if self.problem else _GATHER_S)
        while len(self._inbox):
            self._move()
            if self.problem:
                break

    def stop(self) -> None:
        """Ask `run` to move what is left and to return."""
        self._stop.set()

    def take(self) -> Segment | None:
        """Return the oldest segment, None when there is none. What is damaged in it is kept as dead letters."""
        segment = self._disk.apply(self._spool.take) if self.waiting else None
        if segment is None:
            return None
        path = segment.path
        if segment.problem:
            log_line(_log, logging.ERROR, "a segment cannot be read", segment=path, reason=segment.problem)
        if segment.torn_bytes:
            log_line(_log, logging.WARNING, "a torn record dropped", segment=path, bytes=segment.torn_bytes)
        for damaged in segment.damaged:
            file = self._disk.apply(_save_damaged, (self._dead_letters, damaged))
            log_line(_log, logging.ERROR, "a damaged record was kept as a dead letter", segment=path, file=file)
        return segment

    def remove(self, segment: Segment) -> None:
        """Delete a segment, every leg of which is committed. One that could not be read stays for the next start."""
        problem = "" if segment.problem else self._disk.apply(self._spool.remove, (segment,))
        if problem:
            log_line(_log, logging.ERROR, "a segment cannot be removed", segment=segment.path, reason=problem)

    def _move(self) -> bool:
        """Move some legs; return True when more may be waiting already."""
        legs = self._inbox.take(_MOST_LEGS)
        if not legs:
            return False
        try:
            problem = self._disk.apply(self._spool.append, (legs,))
        except BaseException:
            self._inbox.put_back(legs)
            raise
        if problem:
            self._inbox.put_back(legs)
        else:
            self._metrics.legs_spooled += len(legs)
            self._has_spooled = True
            if not self._outage.is_on:  # else it failed, which the writer reports
                self._outage.fail(logging.WARNING, "PostgreSQL is slow: legs wait on disk", folder=self._spool.folder)
        self._report_problem(problem)
        return len(legs) == _MOST_LEGS and not problem

    def _report_problem(self, problem: str) -> None:
        if problem:
            message = f"nothing can be spooled: {problem}"
            self._disk_outage.fail(logging.ERROR, message, waiting_legs=len(self._inbox))
        else:
            self._disk_outage.end(logging.WARNING, "the spool can be written again", waiting_legs=len(self._inbox))
        self.problem = problem

    def _report_end(self) -> None:
        self._report_problem("")
        if not self._outage.is_on:
            self._has_spooled = False
        elif not self._spool.bytes:
            message = "PostgreSQL has taken what was spooled" if self._has_spooled else "PostgreSQL takes batches again"
            self._outage.end(logging.WARNING, message)


def _save_damaged(folder: Path, data: bytes) -> str:
    try:
        return str(save_damaged(folder, data))
    except OSError as error:
        return f"not kept: {error.strerror}"
