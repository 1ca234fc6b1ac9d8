"""Where a page's rows are looked for first, from what was seen of an account's calls."""

from dataclasses import replace

import pytest

from export_app import near as module
from export_app.near import Near
from tollbook.model.accounts import EveryAccount, OneAccount
from tollbook.model.call_key import CallKey
from tollbook.model.filters import Filters
from tollbook.model.record import COLUMNS, Record
from tollbook.model.selection import Order, Selection
from tollbook.times import MS_PER_DAY, MS_PER_HOUR

ACME = OneAccount("acme")
NEWEST = 100 * MS_PER_DAY
ALL = Selection(accounts=ACME, since=0, until=200 * MS_PER_DAY)


def rows(*starts: int) -> list[Record]:
    """Return rows of which only the key matters."""
    named = {"call_id": "c"}
    return [(*({**named, "start_ts": start}.get(name) for name in COLUMNS), "fs1") for start in starts]


@pytest.fixture
def near() -> Near:
    """It has seen a page of four calls, two hours apart from the next."""
    near = Near()
    near.note(ALL, 4, rows(*(NEWEST - number * 2 * MS_PER_HOUR for number in range(4))))
    return near


def test_twice_as_far_as_the_last_page_reached(near: Near) -> None:
    """Counted from the newest call that was seen: after it there may be nothing for months."""
    assert near.edge(ALL, 4) == NEWEST - 12 * MS_PER_HOUR
    assert near.edge(ALL, 8) == NEWEST - 24 * MS_PER_HOUR


@pytest.mark.parametrize(("order", "edge"), [("desc", 48 - 12), ("asc", 48 + 12)])
def test_a_walk_goes_on_where_its_cursor_stands(near: Near, order: Order, edge: int) -> None:
    """In either order."""
    found = near.edge(replace(ALL, order=order, after=CallKey(48 * MS_PER_HOUR, "c", "fs1")), 4)
    assert found is not None
    assert round(found / MS_PER_HOUR) == edge


@pytest.mark.parametrize(
    "selection",
    [
        Selection(accounts=OneAccount("other"), since=0, until=NEWEST),
        Selection(accounts=EveryAccount(), since=0, until=NEWEST),
        Selection(accounts=ACME, since=0, until=NEWEST, filters=Filters(direction="inbound")),
        Selection(accounts=ACME, since=NEWEST - MS_PER_HOUR, until=NEWEST),
        Selection(accounts=ACME, since=0, until=NEWEST, order="asc"),
    ],
    ids=["another account", "all accounts", "filtered", "narrow", "from the beginning on"],
)
def test_all_is_asked_for_at_once_where_nothing_is_known(near: Near, selection: Selection) -> None:
    """Or where the time that was asked for is no longer than the guess."""
    assert near.edge(selection, 4) is None


def test_pages_that_are_not_full_say_nothing() -> None:
    """Nor do those with filters: how dense their rows are is no property of the account."""
    near = Near()
    near.note(ALL, 4, rows(1, 2, 3))
    near.note(Selection(accounts=ACME, since=0, until=9, filters=Filters(direction="inbound")), 2, rows(1, 2))
    assert near.edge(ALL, 4) is None


def test_accounts_are_remembered_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than that, and all are forgotten."""
    monkeypatch.setattr(module, "MAX_ACCOUNTS", 2)
    near = Near()
    for name in "abc":
        near.note(Selection(accounts=OneAccount(name), since=0, until=9), 2, rows(1, 2))
    known = [
        near.edge(Selection(accounts=OneAccount(name), since=-MS_PER_DAY, until=9), 2) is not None for name in "abc"
    ]
    assert known == [False, False, True]
