"""The sums of a month's calls as a statement lists them: by direction, destination and currency. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple


class LineKey(NamedTuple):
    """What the calls of a line have in common; None: nothing stated it (no rate priced them, no plan)."""

    direction: str
    destination: str | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class LineSums:
    """How many calls, their seconds of talk, and their cost in micros: exact, and of either sign in a difference."""

    calls: int = 0
    billsec: int = 0
    cost_micros: int = 0

    def __add__(self, other: "LineSums") -> "LineSums":
        """Return the sums of both."""
        return LineSums(self.calls + other.calls, self.billsec + other.billsec, self.cost_micros + other.cost_micros)

    def __sub__(self, other: "LineSums") -> "LineSums":
        """Return what is to be added to `other` to make this."""
        return LineSums(self.calls - other.calls, self.billsec - other.billsec, self.cost_micros - other.cost_micros)


@dataclass(frozen=True, slots=True)
class SumRow:
    """A group of calls of one tier. `priced`: they have ended and have a cost; else they are open or unrated."""

    period: int
    key: LineKey
    sums: LineSums
    priced: bool = True
    open: bool = False
    estimated: int = 0

    def plus(self, more: "SumRow") -> "SumRow":
        """Add more calls of the same group."""
        return replace(self, sums=self.sums + more.sums, estimated=self.estimated + more.estimated)


@dataclass(frozen=True, kw_only=True)
class PeriodSums:
    """The calls of a period: the priced ones by line, and those that no line counts.

    `unrated`: complete calls without a price. `open`: calls that had not ended. `estimated`: of the priced calls, those
    whose end is estimated.
    """

    lines: Mapping[LineKey, LineSums] = field(default_factory=dict[LineKey, LineSums])
    unrated: LineSums = LineSums()
    open: int = 0
    estimated: int = 0

    @property
    def calls(self) -> int:
        """How many calls there are of any kind."""
        return sum(line.calls for line in self.lines.values()) + self.unrated.calls + self.open


class NamedCall(NamedTuple):
    """A call that no line counts: when it started (epoch ms), its id, and whether it had not ended."""

    start_ts: int
    call_id: str
    open: bool


def add_up(rows: Iterable[SumRow], periods: int) -> list[PeriodSums]:
    """Add up the rows of both tiers; return as many sums as there are periods."""
    lines: list[dict[LineKey, LineSums]] = [{} for _ in range(periods)]
    unrated = [LineSums()] * periods
    opened, estimated = [0] * periods, [0] * periods
    for row in rows:
        if row.open:
            opened[row.period] += row.sums.calls
        elif not row.priced:
            unrated[row.period] += row.sums
        else:
            estimated[row.period] += row.estimated
            lines[row.period][row.key] = lines[row.period].get(row.key, LineSums()) + row.sums
    return [
        PeriodSums(lines=lines[period], unrated=unrated[period], open=opened[period], estimated=estimated[period])
        for period in range(periods)
    ]


def differences(today: Mapping[LineKey, LineSums], billed: Mapping[LineKey, LineSums]) -> dict[LineKey, LineSums]:
    """Return what today's lines are more than those that were billed, without the lines that are equal."""
    return {
        key: more
        for key in today.keys() | billed.keys()
        if (more := today.get(key, LineSums()) - billed.get(key, LineSums())) != LineSums()
    }
