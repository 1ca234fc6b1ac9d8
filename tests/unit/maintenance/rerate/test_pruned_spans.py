"""What prune took before a re-rate read it, and no more."""

from hypothesis import given
from hypothesis import strategies as st

from maintenance.rerate.pruned_spans import KeySpan, add_page
from tollbook.model.call_key import CallKey


def key(start_ts: int, call_id: str = "") -> CallKey:
    return CallKey(start_ts, call_id, "" if call_id == "" else "fs1")


def test_what_lay_before_the_window_at_each_page_was_pruned() -> None:
    """The first page begins before the window; the fourth is overtaken in the middle of a millisecond."""
    read = [(key(5, "b"), 3), (key(7, "a"), 3), (key(9, "c"), 3), (key(15, "d"), 12), (key(20), 12)]
    spans, after = list[KeySpan](), key(0)
    for last, window_start in read:
        spans = add_page(spans, KeySpan(after=after, last=last), window_start)
        after = last
    assert spans == [KeySpan(after=key(0), last=key(3)), KeySpan(after=key(9, "c"), last=key(12))]
    assert key(9, "c") not in spans[1]
    assert key(9, "d") in spans[1]
    assert key(12, "a") not in spans[1]


def test_pages_of_late_calls_alone_make_one_span() -> None:
    spans = add_page([], KeySpan(after=key(0), last=key(2, "late")), 9)
    assert add_page(spans, KeySpan(after=key(2, "late"), last=key(30)), 9) == [KeySpan(after=key(0), last=key(9))]


@given(st.data())
def test_each_call_is_seen_in_one_tier(data: st.DataObject) -> None:
    """Whatever is pruned between two pages: a call is on a page, or in exactly one span, and never both."""
    starts = data.draw(st.lists(st.integers(0, 30), unique=True, min_size=1))
    calls = sorted(key(start, name) for start in starts for name in ("a", "b"))
    window, after, end = data.draw(st.integers(0, 10)), key(0), key(31)
    seen, spans = list[CallKey](), list[KeySpan]()
    while after < end:
        page = [call for call in calls if call > after and call.start_ts >= window][:3]
        last = page[-1] if page else end
        spans = add_page(spans, KeySpan(after=after, last=last), window)
        seen += page
        after = last
        window = data.draw(st.integers(window, 31))
    seen += [call for span in spans for call in calls if call in span]
    assert sorted(seen) == calls
