"""Pages out of two tiers: wherever a call lies, and whatever moves meanwhile, a walk gives it once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.model.accounts import OneAccount
from tollbook.model.call_key import CallKey
from tollbook.model.record import Record
from tollbook.model.selection import Order, Selection
from tollbook.model.tiers import KEYED_COLUMNS, HotPage, key_of, merge_tiers

DAY = 10
DAYS = 6
WANTED, OTHER = "inbound", "outbound"  # what the walk's filter takes, and what it does not


@dataclass
class World:
    """Both tiers, a day being ten ms: what is archived, what PostgreSQL has, what waits in the outbox."""

    hot: dict[CallKey, str] = field(default_factory=dict)
    archive: dict[CallKey, str] = field(default_factory=dict)
    outbox: set[CallKey] = field(default_factory=set)
    open: set[CallKey] = field(default_factory=set)
    window_start: int = 0

    def put(self, key: CallKey, where: str, now: str, before: str) -> None:
        """Place a call: `now` is its direction, `before` that of an archived form that is outdated."""
        if where in ("archived", "corrected", "deleted", "both"):
            self.archive[key] = before if where in ("corrected", "deleted") else now
        if where not in ("archived", "deleted"):
            self.hot[key] = now
        if where in ("corrected", "deleted", "waiting"):
            self.outbox.add(key)
        if where == "open":
            self.open.add(key)

    def run_archive(self) -> None:
        for key in self.outbox:
            if key in self.hot:
                self.archive[key] = self.hot[key]
            else:
                self.archive.pop(key, None)
        self.outbox.clear()

    def prune(self) -> None:
        self.window_start += DAY
        self._drop(range(self.window_start - DAY, self.window_start))

    def settle(self) -> None:
        self._drop(range(self.window_start))

    def _drop(self, starts: range) -> None:
        for key in [call for call in self.hot if call.start_ts in starts and call not in self.outbox | self.open]:
            del self.hot[key]

    def read_hot(self, selection: Selection, limit: int) -> HotPage:
        outdated = {
            key for key in self.outbox if selection.since <= key.start_ts < min(selection.until, self.window_start)
        }
        rows = _rows(self.hot, selection, limit)
        return HotPage(rows=rows, window_start=self.window_start, superseded=frozenset(outdated))

    def read_archive(self, selection: Selection, limit: int, without: frozenset[CallKey]) -> Sequence[Record]:
        return _rows({key: said for key, said in self.archive.items() if key not in without}, selection, limit)


def _rows(calls: dict[CallKey, str], selection: Selection, limit: int) -> list[Record]:
    keys = sorted(key for key, said in calls.items() if said == WANTED)
    inside = [key for key in keys if selection.since <= key.start_ts < selection.until]
    if selection.order == "desc":
        behind = [key for key in inside[::-1] if selection.after is None or key < selection.after]
    else:
        behind = [key for key in inside if selection.after is None or key > selection.after]
    return [_record(key) for key in behind[:limit]]


def _record(key: CallKey) -> Record:
    return tuple({**key._asdict(), "direction": WANTED}.get(name) for name in KEYED_COLUMNS)


def keys(rows: Sequence[Record]) -> list[CallKey]:
    return list(map(key_of, rows))


# What can befall the tiers while somebody reads; nothing of it changes which calls there are.
HAPPENINGS: dict[str, Callable[[World], None]] = {
    "nothing": lambda world: None,
    "archive": World.run_archive,
    "prune": World.prune,
    "archive and prune": lambda world: (world.run_archive(), world.prune(), world.settle())[0],
    "settle": World.settle,
}
# A call from before the window may be in any of these states; a younger one is in PostgreSQL, whatever else.
OLD = ("archived", "both", "waiting", "corrected", "deleted", "open")
YOUNG = ("both", "waiting", "corrected", "deleted", "open")

calls = st.dictionaries(
    st.builds(CallKey, st.integers(0, DAYS * DAY - 1), st.sampled_from("abc"), st.sampled_from(("fs1", "fs2"))),
    st.tuples(st.sampled_from(OLD), st.sampled_from(YOUNG), *[st.sampled_from((WANTED, OTHER))] * 2),
    max_size=60,
)


@given(
    calls=calls,
    window=st.integers(0, DAYS),
    order=st.sampled_from(("asc", "desc")),
    limit=st.integers(1, 12),
    since=st.integers(0, DAYS * DAY),
    until=st.integers(0, DAYS * DAY),
    happen=st.lists(st.tuples(*[st.sampled_from(sorted(HAPPENINGS))] * 2), max_size=12),
)
def test_a_walk_gives_every_call_once_in_order(
    calls: dict[CallKey, tuple[str, str, str, str]], window: int, order: Order, limit: int, since: int, until: int,
    happen: list[tuple[str, str]],
) -> None:  # fmt: skip
    """With archiving and pruning between two pages, and within one, after PostgreSQL was read."""
    world = World(window_start=window * DAY)
    for key, (old, young, now, before) in calls.items():
        world.put(key, old if key.start_ts < world.window_start else young, now, before)
    truth = {key: now for key, (old, young, now, _) in calls.items()
             if (old if key.start_ts < window * DAY else young) != "deleted"}  # fmt: skip
    selection = Selection(accounts=OneAccount("acme"), since=since, until=until, order=order)
    wanted = keys(_rows(truth, selection, 1000))
    got: list[CallKey] = []
    for between, within in [*happen, *[("nothing", "nothing")] * 100]:
        HAPPENINGS[between](world)
        hot = world.read_hot(selection, limit)
        HAPPENINGS[within](world)
        rows = keys(merge_tiers(selection, limit, hot, world.read_archive))
        got += rows
        if len(rows) < limit:
            break
        selection = replace(selection, after=rows[-1])
    assert got == wanted


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_the_archive_is_not_asked_when_no_page_reaches_it(order: Order) -> None:
    """Nor is it loaded: nothing of it is needed for the days that PostgreSQL keeps, from their first millisecond on."""

    def read_archive(*asked: object) -> Sequence[Record]:
        raise AssertionError(f"the archive was asked for {asked}")

    hot = HotPage(
        rows=[_record(CallKey(start, "a", "fs1")) for start in ((70, 50) if order == "desc" else (50, 70))],
        window_start=50,
    )
    selection = Selection(accounts=OneAccount("acme"), since=50, until=100, order=order)
    assert len(merge_tiers(selection, 10, hot, read_archive)) == 2
    whole = replace(selection, since=0, after=CallKey(50, "A", "fs1") if order == "asc" else None)
    limit = 2 if order == "desc" else 10  # a page that is full, or one that begins behind the archive's end
    assert len(merge_tiers(whole, limit, hot, read_archive)) == 2


def test_the_archive_is_asked_for_no_more_than_the_page_lacks() -> None:
    asked: list[tuple[int, int]] = []

    def read_archive(selection: Selection, limit: int, without: frozenset[CallKey]) -> Sequence[Record]:
        asked.append((selection.until, limit))
        return [_record(CallKey(40, "b", "fs1"))]

    hot = HotPage(rows=[_record(CallKey(start, "a", "fs1")) for start in (70, 60, 45)], window_start=50)
    selection = Selection(accounts=OneAccount("acme"), since=0, until=100)
    assert keys(merge_tiers(selection, 5, hot, read_archive)) == [
        CallKey(70, "a", "fs1"), CallKey(60, "a", "fs1"), CallKey(45, "a", "fs1"), CallKey(40, "b", "fs1")
    ]  # fmt: skip
    assert asked == [(50, 3)]
