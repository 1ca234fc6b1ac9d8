"""Which legs, too old for PostgreSQL, belong to calls that the archive lacks: what `recover` may still add."""

from collections import defaultdict
from collections.abc import Collection, Sequence

from pyiceberg.table import Table

from tollbook.archive import lookup
from tollbook.model.call_key import CallKey
from tollbook.model.call_tree import calls_of
from tollbook.model.leg import Leg, LegKey

_MS_PER_DAY = 86_400_000


def not_archived(table: Table | None, legs: Sequence[Leg]) -> set[LegKey]:
    """Give the keys of the legs whose call is not archived; of a call, its first leg must be among them.

    Without it nobody can tell which call it is, for a row has the id and the start of its call's first leg. Raises
    ArchiveError.
    """
    by_switch: defaultdict[str, list[Leg]] = defaultdict(list)
    for leg in legs:
        by_switch[leg.switch].append(leg)
    calls = {
        CallKey(call.start_us // 1000, call.call_id, switch): call
        for switch, some in by_switch.items()
        for call in calls_of(some)
        if call.root is not None
    }
    archived = set[CallKey]() if table is None else _archived(table, calls)
    return {
        record.key for key, call in calls.items() if key not in archived for leg in call.legs for record in leg.records
    }


def _archived(table: Table, keys: Collection[CallKey]) -> set[CallKey]:
    by_day: defaultdict[int, set[str]] = defaultdict(set)
    for key in keys:
        by_day[key.start_ts // _MS_PER_DAY].add(key.call_id)
    return {
        call.key
        for day, ids in by_day.items()
        for call in lookup.find(table, ids, first_ms=day * _MS_PER_DAY, last_ms=(day + 1) * _MS_PER_DAY - 1)
    }
