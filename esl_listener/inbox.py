"""The inbox: legs that were heard and are neither written nor spooled yet, in memory."""

import itertools
from collections.abc import Iterable

from gevent.event import Event

from tollbook.model.leg import Leg, LegKey

# 80,000 legs of about 1.5 kB: a quarter of an hour of a busy switch, and together with all else within 200 MB. While
# the spool takes the rest, at most a quarter of it waits.
MAX_LEGS = 80_000

# With a quarter of the inbox full the database is ten seconds behind, which is too slow; the disk has the room.
_OVERFLOW_SHARE = 4


class Inbox:
    """What is known of each leg since the last batch, in the order in which legs were first heard.

    Bounded, and merged by leg, so that a burst costs less per event, not more.
    """

    def __init__(self, max_legs: int = MAX_LEGS) -> None:
        self._legs: dict[LegKey, Leg] = {}
        self._max_legs = max_legs
        self._filled = Event()
        self._has_room = Event()
        self._has_room.set()

    def __len__(self) -> int:
        return len(self._legs)

    @property
    def overflows(self) -> bool:
        """Whether more waits than memory should hold while the disk has room."""
        return len(self._legs) > self._max_legs // _OVERFLOW_SHARE

    def has_creation(self, key: LegKey) -> bool:
        """Whether the creation of a leg waits, with which whatever else is put of the leg is written."""
        leg = self._legs.get(key)
        return leg is not None and leg.create is not None

    def put(self, leg: Leg) -> None:
        """Add facts. Waits only when the inbox is full, which is the last bound before facts would be lost."""
        key = leg.key
        # Looked for again after each wait: other readers wait for the same room, and may have added the same leg.
        while (before := self._legs.get(key)) is None and len(self._legs) >= self._max_legs:
            self._has_room.clear()
            self._has_room.wait()
        self._legs[key] = leg if before is None else before.merged(leg)
        if not self._filled.is_set():  # setting it again would look for who waits, at each event
            self._filled.set()

    def put_back(self, legs: Iterable[Leg]) -> None:
        """Return what could not be written, to the front. Never waits, because these legs had their room before."""
        heard, self._legs = self._legs, {}
        self.postpone(itertools.chain(legs, heard.values()))

    def postpone(self, legs: Iterable[Leg]) -> None:
        """Return what others shall not wait for, to the end. Never waits, because these legs had their room before."""
        for leg in legs:
            before = self._legs.get(leg.key)
            self._legs[leg.key] = leg if before is None else before.merged(leg)
        if self._legs:
            self._filled.set()

    def take(self, most: int) -> list[Leg]:
        """Remove and return the oldest legs, at most so many."""
        keys = [key for key, _ in zip(self._legs, range(most), strict=False)]
        taken = [self._legs.pop(key) for key in keys]
        if not self._legs:
            self._filled.clear()
        self._has_room.set()
        return taken

    def wait(self, timeout_s: float) -> bool:
        """Wait until a leg is there; return False when none came in time."""
        return self._filled.wait(timeout_s)
