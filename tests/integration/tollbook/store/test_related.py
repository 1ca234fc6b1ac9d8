"""A batch reads only some of the stored legs, and makes the calls that all legs together make."""

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tollbook.model.call_key import CallKey
from tollbook.model.call_tree import calls_of
from tollbook.model.charge import Price
from tollbook.model.fold import FoldSettings, fold
from tollbook.model.leg import Facts, Leg, merge_all
from tollbook.model.parent import Parent
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions
from tollbook.times import US_PER_SECOND

T0_US = 1_795_433_986 * US_PER_SECOND
IDS = ["a", "b", "c", "d"]


@st.composite
def observations(draw: st.DrawFn) -> Leg:
    """Return what one event states of a leg: few ids and times, so that they collide in every way.

    Statements about one leg may differ in its parent, as its creation and its end do; but not in whether `sofia
    recover` made it. A leg made by `sofia recover` names no parent here: an id that was used again between the leg's
    first creation and its recovery is not looked for. Two processes of the switch, and the order in which one made its
    legs, which is not that of the clock.
    """
    begins_s = draw(st.integers(0, 7))
    created_us = T0_US + begins_s * US_PER_SECOND
    uid = draw(st.sampled_from(IDS))
    recovered = begins_s in (3, 4, 6)
    parent = None if recovered else draw(st.sampled_from([None, *IDS]))
    facts = Facts(
        at_us=created_us,
        sequence=draw(st.integers(0, 3)),
        caller="1000",
        dialed="2000",
        recovered=recovered,
        parent=None if parent in (None, uid) else Parent(parent, "originator"),
    )
    ended = Facts(at_us=created_us + 9, hangup_us=created_us + 9, parent=facts.parent, recovered=facts.recovered)
    stated: dict[str, Any] = draw(
        st.sampled_from([{"create": facts}, {"end": ended}, {"answered_us": created_us + 1}, {"look": facts}])
    )
    core = draw(st.sampled_from(["", "core-1", "core-2"]))
    return Leg(switch=draw(st.sampled_from(["fs1", "fs2"])), uid=uid, created_us=created_us, core=core, **stated)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(legs=st.lists(observations(), min_size=1, max_size=14), size=st.integers(1, 5))
def test_batches_make_the_calls_that_all_legs_make(database: Connection, legs: list[Leg], size: int) -> None:
    """Ids used again, rings, orphans and recovered legs, in any order and in batches of any size."""
    database.execute("TRUNCATE call_cdr, call_leg, archive_outbox")
    database.commit()
    partitions = Partitions()
    for begin in range(0, len(legs), size):
        write_batch(
            database, legs[begin : begin + size], FoldSettings(), lambda _: Price(cost_micros=0, parts=()), partitions
        )
    wanted_rows: dict[CallKey, int | None] = {}
    wanted_legs: set[tuple[Any, ...]] = set()
    merged = merge_all(legs).values()
    for switch in ("fs1", "fs2"):
        for call in calls_of(leg for leg in merged if leg.switch == switch):
            row = fold(call, FoldSettings(), switch)
            wanted_rows[row.key] = row.end_ts
            wanted_legs |= {
                (*row.key, record.uid, record.created_us) for leg in call.legs for record in leg.stored_records
            }
    rows = database.execute("SELECT start_ts, call_id, switch, end_ts FROM call_cdr").fetchall()
    stored = database.execute("SELECT call_start_ts, call_id, switch, uid, created_us FROM call_leg").fetchall()
    database.rollback()
    assert set(stored) == wanted_legs
    ends = {CallKey(*key): end_ts for *key, end_ts in rows}
    assert ends.keys() == wanted_rows.keys()
    # A complete row never becomes open again.
    assert all(ends[key] == end_ts for key, end_ts in wanted_rows.items() if end_ts is not None)


def stated(uid: str, at_s: int, *, parent: str = "", **known: Any) -> Leg:
    """Return a leg's creation, `at_s` seconds after T0; with `end` in `known` it has ended a second later."""
    created_us = T0_US + at_s * US_PER_SECOND
    facts = Facts(at_us=created_us, parent=Parent(parent, "originator") if parent else None)
    return Leg(switch="fs1", uid=uid, created_us=created_us, **{"create": facts} | known)


def calls(database: Connection, *legs: Leg) -> list[tuple[str, int, bool]]:
    """Write each leg in a batch of its own; return the calls: id, seconds after T0, whether complete."""
    for leg in legs:
        write_batch(database, [leg], FoldSettings(), lambda _: Price(cost_micros=0, parts=()), Partitions())
    rows = database.execute("SELECT call_id, start_ts, end_ts IS NOT NULL FROM call_cdr ORDER BY 1, 2").fetchall()
    database.rollback()
    return [(call_id, start_ts // 1000 - T0_US // US_PER_SECOND, complete) for call_id, start_ts, complete in rows]


def test_a_call_that_a_leg_leaves_is_folded_again(database: Connection) -> None:
    """A look at `b` named `a` as its parent; its creation, which names nobody, arrives when `a` has ended."""
    end = Facts(at_us=T0_US, hangup_us=T0_US + US_PER_SECOND)
    looked = stated("b", 1, create=None, look=Facts(at_us=T0_US, parent=Parent("a", "originator")))
    assert calls(database, stated("a", 0), looked, stated("a", 0, end=end)) == [("a", 0, False)]
    assert calls(database, stated("b", 1)) == [("a", 0, True), ("b", 1, False)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_child_of_a_clock_that_was_set_back_joins_its_parent(database: Connection, order: tuple[int, ...]) -> None:
    """Whichever arrives first, each in a batch of its own: one call, complete, with both legs."""
    ends = {at_s: Facts(at_us=T0_US, hangup_us=T0_US + at_s * US_PER_SECOND) for at_s in (0, 9)}
    legs = [stated("a", 9), stated("b", 0, parent="a", end=ends[0]), stated("a", 9, create=None, end=ends[9])]
    assert calls(database, *(legs[place] for place in order)) == [("a", 9, True)]
    assert database.execute("SELECT DISTINCT call_id, call_start_ts FROM call_leg").fetchall() == [
        ("a", T0_US // 1000 + 9000)
    ]


def test_a_life_in_between_takes_the_child_of_a_later_one(database: Connection) -> None:
    """Until it is heard, the later life is the oldest that is known."""
    assert calls(database, stated("a", 9), stated("b", 0, parent="a")) == [("a", 9, False)]
    assert calls(database, stated("a", 5)) == [("a", 5, False), ("a", 9, False)]
    query = "SELECT call_start_ts FROM call_leg WHERE uid = 'b'"
    assert database.execute(query).fetchone() == (T0_US // 1000 + 5000,)


def test_a_leg_known_to_be_recovered_later_continues_the_life_before_it(database: Connection) -> None:
    """The answer of the third life is heard first, and only then its creation, which says that it was recovered."""
    answer = stated("a", 5, create=None, answered_us=T0_US + 5 * US_PER_SECOND)
    assert calls(database, stated("a", 0), stated("a", 3), answer) == [
        ("a", 0, False),
        ("a", 3, False),
        ("a", 5, False),
    ]
    assert calls(database, stated("a", 5, create=Facts(recovered=True))) == [("a", 0, False), ("a", 3, False)]
    query = "SELECT call_start_ts FROM call_leg WHERE created_us = %s"
    assert database.execute(query, (answer.created_us,)).fetchone() == (T0_US // 1000 + 3_000,)


def test_a_first_life_heard_late_is_continued_by_the_next(database: Connection) -> None:
    """The recovered life of a leg, in a call of another id, is known before the life that it continues."""
    recovered = Facts(recovered=True, parent=Parent("b", "originator"))
    assert calls(database, stated("b", 1), stated("a", 5, create=recovered)) == [("b", 1, False)]
    assert calls(database, stated("a", 0)) == [("a", 0, False), ("b", 1, False)]
    legs = database.execute(
        "SELECT uid, created_us, call_id FROM call_leg WHERE uid = 'a' ORDER BY created_us"
    ).fetchall()
    assert [call_id for *_, call_id in legs] == ["a", "a"]


def test_a_leg_parted_from_its_recovery_finds_its_parent(database: Connection) -> None:
    """The first life of an id seemed to be recovered. A life in between shows that it was not, and whose leg it was."""
    at_us = T0_US + 1 * US_PER_SECOND
    ended = Facts(at_us=at_us + 9, hangup_us=at_us + 9, parent=Parent("b", "originator"))
    first = Leg(switch="fs1", uid="c", created_us=at_us, end=ended)
    back = stated("c", 3, create=Facts(at_us=T0_US + 3 * US_PER_SECOND, recovered=True))
    assert calls(database, back, stated("b", 0), first, stated("c", 2)) == [("b", 0, False), ("c", 2, False)]
