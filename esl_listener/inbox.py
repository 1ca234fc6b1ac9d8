"""Legs that were heard and are not written yet: in memory, and on disk while PostgreSQL is away."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from gevent.event import Event
from gevent.threadpool import ThreadPool

from esl_listener.dead_letter import save_damaged
from esl_listener.metrics import Metrics
from esl_listener.spool import Segment, Spool
from tollbook.log import log_line
from tollbook.model.leg import Leg

_log = logging.getLogger("tollbook.spool")

# 80,000 legs of about 1.5 kB: a quarter of an hour of a busy switch, and with all else within 200 MB. A quarter of it
# waits at most while the spool takes the rest.
MAX_LEGS = 80_000

# With a quarter of the inbox full the database is too slow, by ten seconds' work; the disk has the room.
_OVERFLOW_SHARE = 4

# An outage is noticed within this time; looking more often would only cost a quiet listener.
_LOOK_EVERY_S = 0.2
# One fsync for what came in this time, and for at most so many legs (3 MB).
_GATHER_S = 0.05
_MOST_LEGS = 2_000
# A disk that is full or read-only is asked again after this time.
_ASK_AGAIN_S = 1.0


class Inbox:
    """What is known of each leg since the last batch, in the order in which legs were first heard.

    Bounded, and coalesced, so that a burst costs less, not more.
    """

    def __init__(self, max_legs: int = MAX_LEGS) -> None:
        self._legs: dict[tuple[str, str, int], Leg] = {}
        self._max_legs = max_legs
        self._filled = Event()
        self._has_room = Event()
        self._has_room.set()

    def __len__(self) -> int:
        return len(self._legs)

    @property
    def overflows(self) -> bool:
        """Tell whether more waits than memory should hold while there is room on the disk."""
        return len(self._legs) > self._max_legs // _OVERFLOW_SHARE

    def put(self, leg: Leg) -> None:
        """Add facts. Waits only when the inbox is full, which is the last bound we have against losing any."""
        key = leg.key
        # Asked again after each wait: other readers wait for the same room, and may know of the same leg.
        while key not in self._legs and len(self._legs) >= self._max_legs:
            self._has_room.clear()
            self._has_room.wait()
        before = self._legs.get(key)
        self._legs[key] = leg if before is None else before.merged(leg)
        self._filled.set()

    def put_back(self, legs: Iterable[Leg]) -> None:
        """Return what could not be written, to the front; never waits, for it had its room before."""
        returned = {leg.key: leg for leg in legs}
        for key, leg in self._legs.items():
            before = returned.get(key)
            returned[key] = leg if before is None else before.merged(leg)
        self._legs = returned
        if returned:
            self._filled.set()

    def take(self, most: int) -> list[Leg]:
        """Remove and give the oldest legs."""
        keys = [key for key, _ in zip(self._legs, range(most), strict=False)]
        taken = [self._legs.pop(key) for key in keys]
        if not self._legs:
            self._filled.clear()
        self._has_room.set()
        return taken

    def wait(self, timeout_s: float) -> bool:
        """Wait until something is there; False when nothing came in time."""
        return self._filled.wait(timeout_s)


class Spooler:
    """Moves legs from the inbox to the spool while the writer is away or too slow, and hands segments back to it.

    While older legs wait in the spool, new ones go behind them. A spool that is full or cannot be written leaves
    the legs in the inbox: that is an alarm, and the inbox's bound is the next one.
    """

    def __init__(self, inbox: Inbox, spool: Spool, metrics: Metrics, dead_letters: Path) -> None:
        self._inbox = inbox
        self._spool = spool
        self._metrics = metrics
        self._dead_letters = dead_letters
        # One thread does all of the spool's I/O: a slow disk holds nobody else up, and nothing needs a lock.
        self._disk = ThreadPool(1)
        self._stop = Event()
        # What an earlier listener left is the end of its outage, and is told when it is over.
        self._told = spool.waiting > 0
        self.problem = ""

    @property
    def waiting(self) -> int:
        """Count the segments that the writer has not taken yet."""
        return self._spool.waiting

    @property
    def bytes(self) -> int:
        """Tell how large the spool is."""
        return self._spool.bytes

    def run(self, away: Callable[[], bool]) -> None:
        """Move legs when `away()`, or too many or older ones wait; once stopped, move all that is left and return."""
        while not self._stop.is_set():
            if not (away() or self.waiting or self._inbox.overflows):
                self._tell_the_end()
                self._stop.wait(_LOOK_EVERY_S)
            elif not self._move():
                self._stop.wait(_ASK_AGAIN_S if self.problem else _GATHER_S)
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
        if segment.problem:
            log_line(_log, logging.ERROR, "a segment cannot be read", segment=segment.path, reason=segment.problem)
        if segment.torn_bytes:
            log_line(_log, logging.WARNING, "a torn record dropped", segment=segment.path, bytes=segment.torn_bytes)
        for damaged in segment.damaged:
            told = self._disk.apply(_kept_damaged, (self._dead_letters, damaged))
            log_line(_log, logging.ERROR, "a damaged record was kept as a dead letter", segment=segment.path, kept=told)
        return segment

    def remove(self, segment: Segment) -> None:
        """Delete a segment, every leg of which is committed. One that could not be read stays for the next start."""
        problem = "" if segment.problem else self._disk.apply(self._spool.remove, (segment,))
        if problem:
            log_line(_log, logging.ERROR, "a segment cannot be removed", segment=segment.path, reason=problem)

    def _move(self) -> bool:
        """Move some legs; True when more may be waiting already."""
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
            self._tell_the_beginning()
        self._tell_problem(problem)
        return len(legs) == _MOST_LEGS and not problem

    def _tell_problem(self, problem: str) -> None:
        if problem and not self.problem:
            log_line(_log, logging.ERROR, f"nothing can be spooled: {problem}", waiting_legs=len(self._inbox))
        elif self.problem and not problem:
            log_line(_log, logging.WARNING, "the spool's trouble is over", waiting_legs=len(self._inbox))
        self.problem = problem

    def _tell_the_beginning(self) -> None:
        if not self._told:
            log_line(_log, logging.WARNING, "PostgreSQL is away or slow: legs wait on disk", folder=self._spool.folder)
        self._told = True

    def _tell_the_end(self) -> None:
        self._tell_problem("")
        if self._told and not self._spool.bytes:
            log_line(_log, logging.WARNING, "PostgreSQL has taken what was spooled")
            self._told = False


def _kept_damaged(folder: Path, data: bytes) -> str:
    try:
        return str(save_damaged(folder, data))
    except OSError as error:
        return f"not kept: {error.strerror}"
