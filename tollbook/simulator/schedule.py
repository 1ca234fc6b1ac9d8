"""When each event of many calls is due. Pure: no clock."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Cue:
    """Event number `event` of call number `call` is due `at_s` seconds after the start."""

    at_s: float
    call: int
    event: int


def cues(offsets_s: Sequence[Sequence[float]], starts_s: Iterable[float]) -> Iterator[Cue]:
    """Yield the events of many calls in the order of time; each call keeps its own order.

    Call n begins at the n-th of `starts_s`, which never fall and may be endless; calls take the offsets in turn. Only
    the calls that are up are in memory.
    """
    up: list[tuple[float, int, int]] = []  # (due, call, event): at equal times, in the order of the calls
    for call, start_s in enumerate(starts_s):
        while up and up[0][0] < start_s:
            yield _next(up, offsets_s)
        own = offsets_s[call % len(offsets_s)]
        heapq.heappush(up, (start_s + own[0], call, 0))
    while up:
        yield _next(up, offsets_s)


def round_robin(lengths: Sequence[int]) -> Iterator[Cue]:
    """Yield one event of each call in turn, until all calls are played. All are due at once."""
    for event in range(max(lengths, default=0)):
        for call, length in enumerate(lengths):
            if event < length:
                yield Cue(at_s=0.0, call=call, event=event)


def _next(up: list[tuple[float, int, int]], offsets_s: Sequence[Sequence[float]]) -> Cue:
    at_s, call, event = up[0]
    own = offsets_s[call % len(offsets_s)]
    if event + 1 < len(own):
        heapq.heapreplace(up, (at_s + own[event + 1] - own[event], call, event + 1))
    else:
        heapq.heappop(up)
    return Cue(at_s=at_s, call=call, event=event)
