"""Spans of time in which a page is searched: they grow away from its cursor, so that no page reads a whole history.

Times are epoch µs. First one month is planned, then four, sixteen, and so on: planning opens the lists of files. Within
a planned span, the files' row counts and bounds show how short a span holds the page's rows; only that is read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tollbook.model.selection import Order
from tollbook.times import US_PER_DAY

# The most rows that are read at once, by estimate: some 50 MB.
MAX_ROWS = 200_000

_GROWTH = 4
_MONTH_US = 31 * US_PER_DAY
_NARROWEST_US = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """The times [first, end)."""

    first: int
    end: int

    def split(self, width: int, order: Order) -> tuple["Span", "Span"]:
        """Cut off a part of this width at the end where a page in `order` begins; return it and the rest."""
        if order == "desc":
            edge = max(self.end - width, self.first)
            return Span(first=edge, end=self.end), Span(first=self.first, end=edge)
        edge = min(self.first + width, self.end)
        return Span(first=self.first, end=edge), Span(first=edge, end=self.end)

    def beyond(self, part: "Span", order: Order) -> "Span | None":
        """Return what comes after a part in an order; None: nothing."""
        rest = Span(first=self.first, end=part.first) if order == "desc" else Span(first=part.end, end=self.end)
        return rest if rest.first < rest.end else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Extent:
    """How many rows a file has, and their lowest and highest time, both included."""

    rows: int
    lowest: int
    highest: int

    def begins(self, order: Order) -> int:
        """Return a number that is the smaller, the sooner a page in `order` comes to the first of the rows."""
        return -self.highest if order == "desc" else self.lowest

    def with_further(self, other: "Extent") -> "Extent":
        """Return the extent of these rows and others."""
        return Extent(
            rows=self.rows + other.rows,
            lowest=min(self.lowest, other.lowest),
            highest=max(self.highest, other.highest),
        )

    def within(self, span: Span) -> float:
        """Estimate how many of the rows lie in a span, assuming that they are spread evenly."""
        common = min(self.highest + 1, span.end) - max(self.lowest, span.first)
        return self.rows * common / (self.highest + 1 - self.lowest) if common > 0 else 0.0


def spans_to_plan(span: Span, order: Order) -> Iterator[Span]:
    """Yield the parts of a span to plan in turn: narrow where a page in `order` begins, then wider."""
    width = _MONTH_US
    while span.first < span.end:
        part, span = span.split(width, order)
        yield part
        width *= _GROWTH


def spans_to_read(span: Span, order: Order, files: Sequence[Extent], limit: int) -> Iterator[Span]:
    """Yield the parts of a planned span to read: the first has about twice `limit` rows, each next four times more."""
    rows = 2 * limit
    while span.first < span.end:
        width = span.end - span.first
        part, rest = span.split(width, order)
        while width > _NARROWEST_US and sum(file.within(part) for file in files) > min(rows, MAX_ROWS):
            width = -(-width // 2)
            part, rest = span.split(width, order)
        yield part
        span = rest
        rows *= _GROWTH
