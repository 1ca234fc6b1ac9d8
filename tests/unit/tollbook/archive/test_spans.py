"""The windows of an archive's page: they cover the span, once, begin small, and grow."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tollbook.archive.spans import MAX_ROWS, Extent, Span, spans_to_plan, spans_to_read
from tollbook.model.selection import Order
from tollbook.times import US_PER_DAY

DAY = US_PER_DAY
ORDERS = st.sampled_from(("asc", "desc"))
SPANS = st.builds(
    lambda first, width: Span(first=first, end=first + width), st.integers(0, 2**55), st.integers(0, 2**52)
)


def joined(parts: list[Span], order: Order) -> list[Span]:
    """The parts in the order of time."""
    return parts if order == "asc" else parts[::-1]


def check_cover(span: Span, parts: list[Span], order: Order) -> None:
    """No gap and no overlap, from one end of the span to the other, in the order in which they are read."""
    if span.first == span.end:
        assert parts == []
        return
    ordered = joined(parts, order)
    assert (ordered[0].first, ordered[-1].end) == (span.first, span.end)
    assert all(span.end == other.first for span, other in pairwise(ordered))
    assert all(span.first < span.end for span in ordered)


@given(span=SPANS, order=ORDERS)
def test_plans_cover_the_span_and_are_few(span: Span, order: Order) -> None:
    """A hundred and forty years are planned in nine parts at most."""
    parts = list(spans_to_plan(span, order))
    check_cover(span, parts, order)
    assert len(parts) <= 9


@given(
    span=SPANS, order=ORDERS, limit=st.integers(1, 10_000),
    files=st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 2**55), st.integers(0, 40 * DAY)), max_size=5),
)  # fmt: skip
def test_reads_cover_the_span(span: Span, order: Order, limit: int, files: list[tuple[int, int, int]]) -> None:
    """Whatever the files say of themselves; each part but the narrowest holds no more rows than may be in memory."""
    extents = [Extent(rows=rows, lowest=low, highest=low + width) for rows, low, width in files]
    parts: list[Span] = []
    for part in spans_to_read(span, order, extents, limit):
        parts.append(part)
        if len(parts) == 200:  # a page that finds nothing among so many rows is read on; here it is enough
            break
        rows = sum(extent.within(part) for extent in extents)
        assert rows <= MAX_ROWS or part.end - part.first <= 2_000_000
    if len(parts) < 200:
        check_cover(span, parts, order)


def test_the_first_read_is_about_twice_the_page() -> None:
    """A month of a million calls, a page of a thousand: an hour or two of it, not the month."""
    month = Span(first=0, end=31 * DAY)
    files = [Extent(rows=1_000_000, lowest=0, highest=31 * DAY - 1)]
    first, second, *_ = spans_to_read(month, "desc", files, 1000)
    assert first.end == month.end
    assert 500 <= files[0].within(first) <= 2000
    assert 2000 <= files[0].within(second) <= 8000
    (whole,) = spans_to_read(month, "asc", [Extent(rows=500, lowest=0, highest=DAY)], 1000)
    assert whole == month
