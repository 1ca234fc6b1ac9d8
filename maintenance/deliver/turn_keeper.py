"""Keeps our turns: renews them all the time, whatever fails, and forgets them when they may have been lost."""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from tollbook.backoff import Backoff
from tollbook.errors import StoreUnavailable
from tollbook.log import log_line
from tollbook.store.events.turns import LOST_AFTER_S, TURNS, Turns

_log = logging.getLogger("tollbook.deliver")

#: How often to renew our turns.
RENEW_S: Final = 1.0
#: Turns that were renewed longer ago are not ours: what is begun by them ends before they are another process's.
FRESH_S: Final = LOST_AFTER_S / 2
_AWAY: Final = Backoff(first_s=0.25, longest_s=5.0)


class TurnKeeper:
    """The turns of this process. `in_use`: those to whose endpoints something is under way. For one event loop."""

    def __init__(
        self,
        turns: Turns,
        *,
        in_use: Callable[[], frozenset[int]],
        changed: Callable[[], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what to call when other turns are ours."""
        self._turns = turns
        self._in_use = in_use
        self._changed = changed
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="turns")
        self._held: frozenset[int] = frozenset()
        self._renewed_s = 0.0

    def held(self) -> frozenset[int]:
        """Return the turns to work by; none while they cannot be renewed. From any thread."""
        return self._held if self._clock() - self._renewed_s < FRESH_S else frozenset()

    async def run(self) -> None:
        """Renew the turns until it is cancelled; without PostgreSQL there are none."""
        loop, failures = asyncio.get_running_loop(), 0
        while True:
            begun_s = self._clock()
            try:
                held = await loop.run_in_executor(self._thread, self._turns.renew, self._in_use())
                failures = 0
            except StoreUnavailable:
                held, failures = frozenset[int](), failures + 1
            except Exception as error:  # noqa: BLE001 - a task that ended unseen would leave the turns to two processes
                held, failures = frozenset[int](), failures + 1
                log_line(_log, logging.ERROR, "our share of the endpoints cannot be kept", error=repr(error))
            self._renewed_s = begun_s
            if held != self._held:
                self._held = held
                log_line(_log, logging.INFO, "our share of the endpoints", parts=len(held), of=TURNS)
                self._changed()
            await asyncio.sleep(_AWAY.wait_s(failures) if failures else RENEW_S)

    async def close(self) -> None:
        """Give up all turns."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._turns.close)
        self._thread.shutdown()
