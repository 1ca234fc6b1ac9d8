"""Pages: what is read for a query, and where the next page begins."""

import pytest

from export_app.cursor import Cursor, encode
from export_app.page import Window, page, window
from export_app.parameters import CallsQuery
from export_app.refusal import Refusal

KEY = b"k" * 32
NOW = 1_790_000_000_000


def record(start_ts: int, call_id: str) -> tuple[object, ...]:
    return (call_id, "acme", "outbound", "1", "2", start_ts, *[None] * 10)


def cursor(**changed: int) -> str:
    fields = {"since": 5, "until": 50, "start_ts": 30} | changed
    return encode(Cursor(call_id="c", **fields), KEY)


def test_until_is_now_when_left_out() -> None:
    """And stays that now for the whole walk: the cursor holds it."""
    assert window(CallsQuery(), KEY, NOW).until == NOW
    assert window(CallsQuery(cursor=cursor()), KEY, NOW).until == 50


@pytest.mark.parametrize("query", [{}, {"since": 5}, {"until": 50}, {"since": 5, "until": 50, "format": "csv"}])
def test_a_cursor_goes_with_its_filters_or_none(query: dict[str, object]) -> None:
    """The format and the limit are no filters."""
    asked = CallsQuery.model_validate({**query, "cursor": cursor()})
    assert window(asked, KEY, NOW) == Window(since=5, until=50, before=(30, "c"), limit=1000)


@pytest.mark.parametrize("query", [{"since": 6}, {"since": 0}, {"until": 49}, {"until": NOW}])
def test_a_cursor_of_other_filters_is_refused(query: dict[str, int]) -> None:
    """Or a walk would skip calls without a word."""
    with pytest.raises(Refusal, match="this cursor was made with") as refused:
        window(CallsQuery.model_validate({**query, "cursor": cursor()}), KEY, NOW)
    assert (refused.value.status, refused.value.code) == (400, "cursor_mismatch")


def test_a_cursor_of_another_key_is_refused() -> None:
    """With what to do about it."""
    with pytest.raises(Refusal, match="begin anew") as refused:
        window(CallsQuery(cursor=cursor()), b"o" * 32, NOW)
    assert (refused.value.status, refused.value.code) == (400, "bad_cursor")


def test_the_next_page_begins_below_the_last_row_handed_out() -> None:
    """The one row more that was read is not handed out: it only tells that there is a next page."""
    wanted = Window(since=0, until=100, before=None, limit=2)
    made = page([record(9, "b"), record(8, "z"), record(8, "a")], wanted, KEY)
    assert [row[0] for row in made.rows] == ["b", "z"]
    assert made.next_cursor is not None
    following = window(CallsQuery(cursor=made.next_cursor, limit=2), KEY, NOW)
    assert following == Window(since=0, until=100, before=(8, "z"), limit=2)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_last_page_has_no_cursor(count: int) -> None:
    """A full page that is the last has none either."""
    rows = [record(9 - one, "c") for one in range(count)]
    made = page(rows, Window(since=0, until=100, before=None, limit=2), KEY)
    assert len(made.rows) == count
    assert made.next_cursor is None
