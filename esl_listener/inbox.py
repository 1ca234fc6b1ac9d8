"""Legs that were heard and are not written yet: bounded, and coalesced, so that a burst costs less, not more."""

from collections.abc import Iterable

from gevent.event import Event

from tollbook.model.leg import Leg

# 200,000 legs of about 1.5 kB: what a busy switch makes in ten minutes, and within the memory we promise.
MAX_LEGS = 200_000


class Inbox:
    """What is known of each leg since the last batch, in the order in which legs were first heard."""

    def __init__(self, max_legs: int = MAX_LEGS) -> None:
        self._legs: dict[tuple[str, str, int], Leg] = {}
        self._max_legs = max_legs
        self._filled = Event()
        self._has_room = Event()
        self._has_room.set()

    def __len__(self) -> int:
        return len(self._legs)

    def put(self, leg: Leg) -> None:
        """Add facts. Waits only when the inbox is full, which is the last bound we have against losing any."""
        key = leg.key
        before = self._legs.get(key)
        if before is None and len(self._legs) >= self._max_legs:
            self._has_room.clear()
            self._has_room.wait()
        self._legs[key] = leg if before is None else before.merged(leg)
        self._filled.set()

    def put_back(self, legs: Iterable[Leg]) -> None:
        """Return what could not be written, to the front; never waits, for it had its room before."""
        returned = {leg.key: leg for leg in legs}
        for key, leg in self._legs.items():
            before = returned.get(key)
            returned[key] = leg if before is None else before.merged(leg)
        self._legs = returned
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
