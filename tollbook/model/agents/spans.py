"""From what was said of an agent to spans of time with one status and one state. Pure.

What nobody heard is unknown, and no span says otherwise: while no listener was there, an agent may have gone home. A
gap ends when the agents are listed again. In a gap, a status or a state is unknown until the switch says it anew.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from tollbook.model.agents.change import AgentChange
from tollbook.times import US_PER_MS

IN_A_QUEUE_CALL: Final = "In a queue call"

#: What an agent's time is spent on. `wrapup` is always 0: mod_callcenter waits after a call and says nothing of it.
Bucket: TypeAlias = Literal["ready", "offering", "incall", "wrapup", "idle", "paused", "offline", "unknown"]
BUCKETS: Final[tuple[Bucket, ...]] = get_args(Bucket)

_AVAILABLE: Final = frozenset(("Available", "Available (On Demand)"))
_BY_STATUS: Final[dict[str, Bucket]] = {"Logged Out": "offline", "On Break": "paused"}
_BY_STATE: Final[dict[str, Bucket]] = {
    "Waiting": "ready",
    "Receiving": "offering",
    "Reserved": "offering",
    "Idle": "idle",
}


class Gap(NamedTuple):
    """A time in which nobody heard a switch, epoch µs; `until_us` None: its agents were not listed since."""

    from_us: int
    until_us: int | None


class AgentSpan(NamedTuple):
    """A time, [from_ms, until_ms), in which an agent had one status and one state; None: unknown.

    `handled`: how many callers the agent was connected with at its beginning, 0 or 1.
    """

    from_ms: int
    until_ms: int
    status: str | None
    state: str | None
    handled: int = 0

    @property
    def bucket(self) -> Bucket:
        """What the time was spent on."""
        return bucket_of(self.status, self.state)


def bucket_of(status: str | None, state: str | None) -> Bucket:
    """Return what an agent with this status and this state does.

    Who is in a call is in a call, although he wants a break after it: so a status alone, On Break too, says nothing.
    """
    if state == IN_A_QUEUE_CALL:
        return "incall"
    if state is None:
        return "unknown"
    if status in _AVAILABLE:
        return _BY_STATE.get(state, "unknown")
    return _BY_STATUS.get(status or "", "unknown")


def spans_of(changes: Iterable[AgentChange], gaps: Iterable[Gap], since_ms: int, until_ms: int) -> list[AgentSpan]:
    """Return the spans of one agent within [since_ms, until_ms), in order and without overlaps.

    `changes`: what was said of it in that time, and the last of each kind before; in any order. Before the first change
    and while it is removed the agent is not there, and has no span.
    """
    spans: list[AgentSpan] = []
    track = _Track()
    at_ms = since_ms
    for point in sorted(_points(changes, gaps)):
        point_ms = point.at_us // US_PER_MS
        if point_ms >= until_ms:
            break
        if point_ms > at_ms:
            track.add_to(spans, at_ms, point_ms)
            at_ms = point_ms
        track.take(point, within=point_ms >= since_ms)
    track.add_to(spans, at_ms, until_ms)
    return spans


_CHANGE, _GAP_ENDS, _GAP_BEGINS = range(3)


class _Point(NamedTuple):
    """Something that happens, in the order in which it counts: what was heard last is heard, and then nothing is."""

    at_us: int
    order: int
    sequence: int
    kind: str
    value: str


def _points(changes: Iterable[AgentChange], gaps: Iterable[Gap]) -> Iterator[_Point]:
    for change in changes:
        yield _Point(change.at_us, _CHANGE, change.sequence, change.kind, change.value)
    for gap in gaps:
        if gap.until_us is None or gap.until_us > gap.from_us:
            yield _Point(gap.from_us, _GAP_BEGINS, 0, "", "")
            if gap.until_us is not None:
                yield _Point(gap.until_us, _GAP_ENDS, 0, "", "")


@dataclass(kw_only=True, slots=True)
class _Track:
    """What was said last of an agent, and whether that still holds."""

    status: str | None = None
    state: str | None = None
    status_holds: bool = False
    state_holds: bool = False
    gaps: int = 0  # those that go on
    handled: int = 0

    def take(self, point: _Point, *, within: bool) -> None:
        if point.order == _GAP_BEGINS:
            self.gaps += 1
            self.status_holds = self.state_holds = False
        elif point.order == _GAP_ENDS:
            self.gaps -= 1
            if not self.gaps:  # of two that overlap, the first that ends ends nothing
                self.status_holds, self.state_holds = self.status is not None, self.state is not None
        elif point.kind == "status":
            self.status, self.status_holds = point.value, True
        elif point.kind == "state":
            # The same state said twice, before and after a gap, is one call.
            begins = point.value == IN_A_QUEUE_CALL and self.state != IN_A_QUEUE_CALL
            self.handled = 1 if begins and within else self.handled
            self.state, self.state_holds = point.value, True
        else:
            self.status = self.state = None
            self.status_holds = self.state_holds = False

    def add_to(self, spans: list[AgentSpan], from_ms: int, until_ms: int) -> None:
        if from_ms >= until_ms or (self.status is None and self.state is None):
            return
        status = self.status if self.status_holds else None
        state = self.state if self.state_holds else None
        last = spans[-1] if spans else None
        if last is not None and (last.until_ms, last.status, last.state, self.handled) == (from_ms, status, state, 0):
            spans[-1] = last._replace(until_ms=until_ms)
        else:
            spans.append(AgentSpan(from_ms, until_ms, status, state, self.handled))
        self.handled = 0


def present(spans: Sequence[AgentSpan], until_ms: int) -> AgentSpan | None:
    """Return the span that goes on at the end of a time; None when the agent is not there."""
    return spans[-1] if spans and spans[-1].until_ms == until_ms else None
