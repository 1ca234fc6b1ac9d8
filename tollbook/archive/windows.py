"""How a page is looked for: in windows that grow away from its cursor, so that none reads a whole history.

Times are epoch µs. A month is planned first, then four, sixteen, and so on: planning opens the lists of files. Within
what was planned, the files' own counts and bounds tell how far so many rows reach; only that is read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tollbook.model.selection import Order
from tollbook.times import US_PER_DAY

# Rows that are read at once, by estimate: some 50 MB.
MOST_ROWS = 200_000

_GROWTH = 4
_MONTH_US = 31 * US_PER_DAY
_NARROWEST_US = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """Times from `first` up to, and without, `end`."""

    first: int
    end: int

    def from_start(self, width: int, order: Order) -> tuple["Span", "Span"]:
        """Split off a part of some width where a read in `order` begins; give it and the rest."""
        if order == "desc":
            edge = max(self.end - width, self.first)
            return Span(first=edge, end=self.end), Span(first=self.first, end=edge)
        edge = min(self.first + width, self.end)
        return Span(first=self.first, end=edge), Span(first=edge, end=self.end)


@dataclass(frozen=True, kw_only=True, slots=True)
class Extent:
    """A file: its rows, and the times between which they lie, both included."""

    rows: int
    lowest: int
    highest: int

    def within(self, span: Span) -> float:
        """Estimate how many of its rows lie in a span, as if they were spread evenly."""
        common = min(self.highest + 1, span.end) - max(self.lowest, span.first)
        return self.rows * common / (self.highest + 1 - self.lowest) if common > 0 else 0.0


def to_plan(span: Span, order: Order) -> Iterator[Span]:
    """Cut a span into parts to plan, narrow where a read in `order` begins, and wider and wider."""
    width = _MONTH_US
    while span.first < span.end:
        part, span = span.from_start(width, order)
        yield part
        width *= _GROWTH


def to_read(span: Span, order: Order, files: Sequence[Extent], limit: int) -> Iterator[Span]:
    """Cut a planned span into parts to read: the first for about twice `limit` rows, each next for four times more."""
    rows = 2 * limit
    while span.first < span.end:
        width = span.end - span.first
        part, rest = span.from_start(width, order)
        while width > _NARROWEST_US and sum(file.within(part) for file in files) > min(rows, MOST_ROWS):
            width = -(-width // 2)
            part, rest = span.from_start(width, order)
        yield part
        span = rest
        rows *= _GROWTH
