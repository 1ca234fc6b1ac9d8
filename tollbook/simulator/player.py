"""Plays recordings on a simulated switch: at their own pace, faster, at a rate of calls, or without waiting."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count as counting

from tollbook.simulator.event import Playable
from tollbook.simulator.freshen import CallTemplate, FreshCall
from tollbook.simulator.recording import CdrFile, Recording
from tollbook.simulator.schedule import Cue, cues, round_robin
from tollbook.simulator.switch import SimulatedSwitch

# When playing without waiting, so many calls begin per second of recorded time: they interleave, and few are up.
_UNPACED_CALLS_PER_S = 50.0

# Events sent before the event loop gets a turn to write and to answer.
_TURN = 32

# When playing without waiting, events are held back while a client has so many unread, but no longer than this, or a
# client that never reads would stop the play. After that it gets what a real switch gives it: a full queue.
_UNREAD = 2_000
_PATIENCE_S = 60.0

_END = b"CHANNEL_HANGUP_COMPLETE"


@dataclass(frozen=True, kw_only=True)
class _Call:
    """A call that is being played. `restarts` is how often the switch had been restarted when the call began."""

    events: Sequence[Playable]
    cdr_file: Callable[[bytes], CdrFile | None]
    restarts: int


class Player:
    """Plays recordings on one switch. Several plays may go on at once."""

    def __init__(
        self,
        switch: SimulatedSwitch,
        recordings: Iterable[Recording],
        *,
        verbatim: bool = False,
        on_begin: Callable[[FreshCall], None] | None = None,
        clock_us: Callable[[], int] | None = None,
    ) -> None:
        """Prepare recordings. `verbatim` plays the recorded bytes; otherwise every call is a fresh copy.

        `on_begin` is called with each fresh copy as it begins. `clock_us` says when that is, in epoch µs, so that calls
        of other days can be played; None is now.
        """
        self._on_begin = on_begin
        self._clock_us = clock_us or _now_us
        self._switch = switch
        self._recordings = list(recordings)
        self._templates = [] if verbatim else _templates(self._recordings)
        self._turn = 0
        self._offsets_s = [recording.offsets_s for recording in self._recordings]

    async def play(self, *, speed: float = 1.0, patient: bool = True) -> int:
        """Play every recording once, all beginning now; return the number of events played.

        `speed` is a factor on the recorded pace; 0 plays as `play_unpaced` does.
        """
        if speed == 0:
            return await self.play_unpaced(count=len(self._recordings), patient=patient)
        return await self._run(cues(self._offsets_at(speed), [0.0] * len(self._recordings)), paced=True)

    async def play_at_rate(self, *, calls_per_s: float, count: int | None = None, speed: float = 1.0) -> int:
        """Begin calls at a rate, the recordings in turn, until `count` have begun (None: for ever).

        Return the number of events played. `speed` is the pace within each call; at 0 its events come all at once.
        Slow readers are not waited for.
        """
        starts = (number / calls_per_s for number in _numbers(count))
        return await self._run(cues(self._offsets_at(speed), starts), paced=True)

    async def play_unpaced(self, *, count: int | None = None, patient: bool = True) -> int:
        """Play `count` calls (None: for ever), the recordings in turn, as fast as the clients read.

        Return the number of events played. Calls interleave as they would at 50 calls a second. Unless `patient`, slow
        readers are not waited for.
        """
        starts = (number / _UNPACED_CALLS_PER_S for number in _numbers(count))
        return await self._run(cues(self._offsets_s, starts), paced=False, patient=patient)

    async def play_interleaved(self) -> int:
        """Play one event of each recording in turn, as fast as the clients read; return how many were played."""
        return await self._run(round_robin([len(offsets) for offsets in self._offsets_s]), paced=False)

    def _offsets_at(self, speed: float) -> list[tuple[float, ...]]:
        return [tuple(offset / speed if speed else 0.0 for offset in offsets) for offsets in self._offsets_s]

    async def _run(self, schedule: Iterator[Cue], *, paced: bool, patient: bool = True) -> int:
        begun = time.monotonic()
        up: dict[int, _Call] = {}
        played = 0
        for cue in schedule:
            if paced:
                await self._wait_until(begun + cue.at_s)
            elif patient and self._switch.longest_queue > _UNREAD:
                await self._wait_for_readers()
            call = up.get(cue.call)
            if call is None:
                call = up[cue.call] = self._begin(cue.call)
            if call.restarts == self._switch.restarts:  # a restart ends its calls without an event
                self._emit(call, cue.event)
                played += 1
            if cue.event + 1 == len(call.events):
                del up[cue.call]
            self._turn += 1
            if self._turn % _TURN == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        return played

    def _begin(self, number: int) -> _Call:
        index = number % len(self._recordings)
        switch = self._switch
        if not self._templates:
            recording = self._recordings[index]
            return _Call(events=recording.events, cdr_file=recording.cdr_file, restarts=switch.restarts)
        fresh = self._templates[index].fresh(
            self._clock_us(), core_uuid=switch.identity.core_uuid, switch_name=switch.switch_name
        )
        if self._on_begin is not None:
            self._on_begin(fresh)
        return _Call(events=fresh.events, cdr_file=fresh.cdr_file, restarts=switch.restarts)

    def _emit(self, call: _Call, index: int) -> None:
        event = call.events[index]
        wanted = self._switch.writes_cdrs and event.name == _END
        self._switch.emit(event, call.cdr_file(event.unique_id or b"") if wanted else None)

    async def _wait_until(self, due: float) -> None:
        # Less than a millisecond is not waited for: the loop's clock is no finer, and a sleep per event costs more.
        remaining = due - time.monotonic()
        if remaining > 0.001:
            await asyncio.sleep(remaining)

    async def _wait_for_readers(self) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while self._switch.longest_queue > _UNREAD // 2 and time.monotonic() < deadline:
            await asyncio.sleep(0.001)


def _templates(recordings: Iterable[Recording]) -> list[CallTemplate]:
    # Making a template takes longer than playing it, so a recording that is given many times has one.
    templates: dict[int, CallTemplate] = {}
    return [
        templates.get(id(recording)) or templates.setdefault(id(recording), CallTemplate(recording))
        for recording in recordings
    ]


def _numbers(count: int | None) -> Iterable[int]:
    return counting() if count is None else range(count)


def _now_us() -> int:
    return time.time_ns() // 1000
