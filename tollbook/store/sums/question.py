"""Which questions the cubes answer, and of what time: pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from tollbook.model.accounts import EveryAccount
from tollbook.model.call_sums import Periods
from tollbook.model.selection import Selection
from tollbook.store.sums.codes import LONGEST_NAME, NAMED
from tollbook.store.sums.cubes import CALLS, DESTINATIONS, OPERATORS, QUEUES, Cube

#: Why the cubes do not answer. `question`: they do not have what is filtered or grouped by. `edge`: the time begins or
#: ends within a quarter-hour (by destination: within a UTC day) whose rows PostgreSQL no longer has. `unbuilt`: sums of
#: that time are not there yet (`tollbook stats rebuild`).
Unanswered: TypeAlias = Literal["question", "edge", "unbuilt"]

_OF_CALLS: Final = frozenset({"account_id", "direction", "disposition"})
_OF_QUEUES: Final = _OF_CALLS | {"queue_id", "agent_id"}
_OF_DESTINATIONS: Final = _OF_CALLS | {"destination"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A cube to read, and whether its calls count with their queue and agent, as ones without, or are taken away."""

    cube: Cube
    sign: Literal[1, -1] = 1
    named: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """The time [first, end) that cubes are read of, epoch ms; rows add and take away what begins and ends otherwise.

    `added` and `removed`: spans of rows, of which none is the most frequent case.
    """

    first: int
    end: int
    added: tuple[tuple[int, int], ...]
    removed: tuple[tuple[int, int], ...]


def sources_of(selection: Selection, groups: Sequence[str | Periods], *, of_queues: bool) -> tuple[Source, ...]:
    """Return the cubes that together hold the calls of a selection by these groups; none if they cannot.

    `of_queues`: the figures of queues are asked for, too.
    """
    filtered = set(selection.filters.names())
    asked = filtered | {group for group in groups if isinstance(group, str)}
    if any(len(getattr(selection.filters, name)) > int(LONGEST_NAME) for name in filtered & NAMED.keys()):
        return ()
    whole = OPERATORS if isinstance(selection.accounts, EveryAccount) and "account_id" not in asked else CALLS
    if asked <= _OF_CALLS and not of_queues:
        sources = (Source(cube=whole),)
    elif asked <= _OF_QUEUES:
        sources = (Source(cube=QUEUES),)
        if not filtered & {"queue_id", "agent_id"}:
            # The calls without a queue and an agent are all calls but those.
            sources += (Source(cube=whole, named=False), Source(cube=QUEUES, sign=-1, named=False))
    elif asked <= _OF_DESTINATIONS:
        sources = (Source(cube=DESTINATIONS),)
    else:
        sources = ()
    periods = (group for group in groups if isinstance(group, Periods))
    even = all(start % source.cube.unit_ms == 0 for group in periods for start in group.starts for source in sources)
    return sources if even else ()


def span_of(since: int, until: int, unit_ms: int, now_ms: int) -> Span:
    """Return what of [since, until) is read from cubes of this unit: an end is rounded to where fewer rows lie.

    A unit that has not ended is read whole: of the calls that have not begun yet there are none, or few.
    """
    first, end = since - since % unit_ms, until - until % unit_ms
    added: list[tuple[int, int]] = []
    removed: list[tuple[int, int]] = []
    if first < since:
        if since - first > unit_ms // 2 and first + unit_ms <= end:
            first += unit_ms
            added.append((since, first))
        else:
            removed.append((first, since))
    if end < until:
        if until - end > unit_ms // 2 or end + unit_ms >= now_ms or end < first:
            end += unit_ms
            removed.append((until, end))
        else:
            added.append((end, until))
    return Span(first=first, end=end, added=tuple(added), removed=tuple(removed))
