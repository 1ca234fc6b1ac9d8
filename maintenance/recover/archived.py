"""Which legs, too old for PostgreSQL, belong to calls that the archive lacks: what `recover` may still add."""

from collections import defaultdict
from collections.abc import Sequence

from pyiceberg.table import Table

from tollbook.archive import lookup
from tollbook.model.call_tree import Call, calls_of
from tollbook.model.late_legs import LegKey
from tollbook.model.leg import Leg

_MS_PER_DAY = 86_400_000


def not_archived(table: Table | None, legs: Sequence[Leg]) -> set[LegKey]:
    """Give the keys of the legs whose call is not archived; of a call, its first leg must be among them.

    Without it nobody can tell which call it is, for a row has the id and the start of its call's first leg. Raises
    ArchiveError.
    """
    by_switch: defaultdict[str, list[Leg]] = defaultdict(list)
    for leg in legs:
        by_switch[leg.switch].append(leg)
    calls = [call for some in by_switch.values() for call in calls_of(some) if call.root is not None]
    archived = _archived(table, calls) if table is not None else set[tuple[str, int]]()
    return {
        record.key
        for call in calls
        if (call.call_id, _start_ms(call)) not in archived
        for leg in call.legs
        for record in leg.records
    }


def _archived(table: Table, calls: Sequence[Call]) -> set[tuple[str, int]]:
    by_day: defaultdict[int, set[str]] = defaultdict(set)
    for call in calls:
        by_day[_start_ms(call) // _MS_PER_DAY].add(call.call_id)
    return {
        (one.call_id, one.start_ts)
        for day, ids in by_day.items()
        for one in lookup.find(table, ids, first_ms=day * _MS_PER_DAY, last_ms=(day + 1) * _MS_PER_DAY - 1)
    }


def _start_ms(call: Call) -> int:
    return call.start_us // 1000
