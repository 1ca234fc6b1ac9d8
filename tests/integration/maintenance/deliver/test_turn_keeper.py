"""Our turns are renewed whatever fails, and are not ours while they are not."""

import asyncio
from collections.abc import Callable

from maintenance.deliver.turn_keeper import FRESH_S, TurnKeeper
from tollbook.store.events.turns import TURNS, Turns

EVERYTHING = frozenset(range(TURNS))


class Clock:
    """A clock that goes when it is told to."""

    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def kept(database_url: str, in_use: Callable[[], frozenset[int]], clock: Clock) -> list[frozenset[int]]:
    """Return what is held when it changes for the first time, and later by the clock."""

    async def run() -> list[frozenset[int]]:
        changed = asyncio.Event()
        keeper = TurnKeeper(Turns(database_url), in_use=in_use, changed=changed.set, clock=clock)
        renewing = asyncio.create_task(keeper.run())
        await asyncio.wait_for(changed.wait(), 10)
        found = [keeper.held()]
        for later_s in (FRESH_S - 0.1, 0.2):
            clock.now_s += later_s
            found.append(keeper.held())
        renewing.cancel()
        await keeper.close()
        return found

    return asyncio.run(run())


def test_whatever_fails_the_turns_are_renewed_later(database_url: str) -> None:
    """And those that were not renewed for long are another process's, perhaps."""
    failures: list[Exception] = [RuntimeError("dictionary changed size during iteration"), ValueError()]

    def in_use() -> frozenset[int]:
        if failures:
            raise failures.pop()
        return frozenset()

    assert kept(database_url, in_use, Clock()) == [EVERYTHING, EVERYTHING, frozenset()]
    assert failures == []
