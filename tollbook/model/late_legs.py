"""Frozen calls: they are archived and their legs pruned. A row computed from only some of its legs would be wrong."""

from collections.abc import Collection, Iterable, Mapping

from tollbook.model.call_key import CallKey
from tollbook.model.call_tree import calls_of
from tollbook.model.leg import Leg, LegKey


def find_frozen_legs(
    legs: Iterable[Leg], stored: Mapping[LegKey, CallKey], rows: Collection[CallKey], kept_from_us: int
) -> set[LegKey]:
    """Return the keys of the legs, all of one switch, whose call has lost legs or may have.

    `legs` must be closed, as for `calls_of`. `stored` maps each leg that is stored to its row, and `rows` holds those
    of these rows that still exist. Legs that began before `kept_from_us` were pruned, except those of calls whose row
    exists. A call that is up and has no stored legs was never heard of before, however long it has been up.
    """
    found: set[LegKey] = set()
    for call in calls_of(legs):
        keys = [record.key for leg in call.legs for record in leg.records]
        of_rows = {stored[key] for key in keys if key in stored}
        old = {row for row in of_rows if row.start_ts * 1000 < kept_from_us}
        unknown = not of_rows & set(rows) and all(leg.end is not None for leg in call.legs)
        if not old <= set(rows) or (call.start_us < kept_from_us and unknown):
            found.update(keys)
    return found
