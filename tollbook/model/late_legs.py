"""Frozen calls: they are archived and their legs pruned. A row computed from only some of its legs would be wrong."""

from collections.abc import Collection, Iterable, Mapping
from itertools import takewhile

from tollbook.model.call_key import CallKey
from tollbook.model.call_leg import recovered
from tollbook.model.call_tree import Call, calls_of
from tollbook.model.leg import Leg, LegKey


def find_frozen_legs(
    legs: Iterable[Leg],
    stored: Mapping[LegKey, CallKey],
    rows: Collection[CallKey],
    kept_from_us: int,
    whole_from_us: int = 0,
) -> set[LegKey]:
    """Return the keys of the legs, all of one switch, whose call has lost legs or may have.

    `legs` must be closed, as for `calls_of`. `stored` maps each leg that is stored to its row, and `rows` holds those
    of these rows, and of those that the legs make, that exist. Legs that began before `kept_from_us` were pruned,
    except those of calls whose row exists. Rows of calls that began before `whole_from_us` may have been restored from
    the archive, which has no legs. A call that is up and has no stored legs was never heard of before, however long it
    has been up. Of a leg that began before its call's root nobody can tell which call it is: the switch's clock was set
    back in between, or its call was pruned and the id that it names was used again.
    """
    found: set[LegKey] = set()
    for call in calls_of(legs):
        keys = [record.key for leg in call.legs for record in leg.records]
        of_rows = {stored[key] for key in keys if key in stored}
        old = {row for row in of_rows if row.start_ts * 1000 < kept_from_us}
        unknown = not of_rows & set(rows) and all(leg.end is not None for leg in call.legs)
        # Without its root nobody can tell which call it is.
        legless = call.root is None or call.key(call.root.records[0].switch) in rows
        before_us = max(kept_from_us, whole_from_us if legless else 0)
        if not old <= set(rows) or (call.start_us < before_us and unknown):
            found.update(keys)
        found.update(_of_an_unknown_call(call, max(kept_from_us, whole_from_us)) - stored.keys())
    return found


def _of_an_unknown_call(call: Call, before_us: int) -> set[LegKey]:
    """Return the keys of the legs that began before their root and before `before_us`, and have ended."""
    early = takewhile(lambda leg: leg.created_us < min(call.start_us, before_us), call.legs)
    ended = (leg for leg in early if leg.end is not None and not recovered(leg.records[0]))
    return {record.key for leg in ended for record in leg.records}
