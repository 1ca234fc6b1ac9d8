"""Whether the archive has the calls of legs that are too old for PostgreSQL."""

from collections import defaultdict
from collections.abc import Collection, Sequence

from pyiceberg.table import Table

from tollbook.archive import lookup
from tollbook.model.call_key import CallKey
from tollbook.model.call_tree import by_switch, calls_of
from tollbook.model.leg import Leg, LegKey
from tollbook.times import MS_PER_DAY


def not_archived(table: Table | None, legs: Sequence[Leg]) -> set[LegKey]:
    """Return the keys of the legs whose call the archive lacks; raise ArchiveError.

    A call's first leg must be among the legs: without it nobody can tell which call it is, because a row has the id
    and the start of its call's first leg. Legs of other calls are not returned.
    """
    calls = {
        call.key(switch): call
        for switch, of_switch in by_switch(legs).items()
        for call in calls_of(of_switch)
        if call.root is not None
    }
    archived = set[CallKey]() if table is None else _archived(table, calls)
    return {
        record.key for key, call in calls.items() if key not in archived for leg in call.legs for record in leg.records
    }


def _archived(table: Table, keys: Collection[CallKey]) -> set[CallKey]:
    """Return the keys of the archived calls that have the same day and id as one of the keys."""
    by_day: defaultdict[int, set[str]] = defaultdict(set)
    for key in keys:
        by_day[key.start_ts // MS_PER_DAY].add(key.call_id)
    return {
        call.key
        for day, ids in by_day.items()
        for call in lookup.find_calls(table, ids, first_ms=day * MS_PER_DAY, last_ms=(day + 1) * MS_PER_DAY - 1)
    }
