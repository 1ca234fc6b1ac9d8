"""A batch reads only some of the stored legs, and makes the calls that all legs together make."""

from typing import Any

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
    first creation and its recovery is not looked for.
    """
    begins_s = draw(st.integers(0, 7))
    created_us = T0_US + begins_s * US_PER_SECOND
    uid = draw(st.sampled_from(IDS))
    recovered = begins_s in (3, 4, 6)
    parent = None if recovered else draw(st.sampled_from([None, *IDS]))
    facts = Facts(
        at_us=created_us,
        caller="1000",
        dialed="2000",
        recovered=recovered,
        parent=None if parent in (None, uid) else Parent(parent, "originator"),
    )
    ended = Facts(at_us=created_us + 9, hangup_us=created_us + 9, parent=facts.parent, recovered=facts.recovered)
    stated: dict[str, Any] = draw(
        st.sampled_from([{"create": facts}, {"end": ended}, {"answered_us": created_us + 1}, {"look": facts}])
    )
    return Leg(switch=draw(st.sampled_from(["fs1", "fs2"])), uid=uid, created_us=created_us, **stated)


@settings(max_examples=settings().max_examples * 3, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
            wanted_legs |= {(*row.key, record.uid, record.created_us) for leg in call.legs for record in leg.records}
    rows = database.execute("SELECT start_ts, call_id, switch, end_ts FROM call_cdr").fetchall()
    stored = database.execute("SELECT call_start_ts, call_id, switch, uid, created_us FROM call_leg").fetchall()
    database.rollback()
    assert set(stored) == wanted_legs
    ends = {CallKey(*key): end_ts for *key, end_ts in rows}
    assert ends.keys() == wanted_rows.keys()
    # A complete row never becomes open again.
    assert all(ends[key] == end_ts for key, end_ts in wanted_rows.items() if end_ts is not None)
