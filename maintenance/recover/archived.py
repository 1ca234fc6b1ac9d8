"""Whether the archive has the calls of legs that are too old for PostgreSQL."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from pyiceberg.table import Table

from tollbook.archive import lookup
from tollbook.model.call_span import LONGEST_CALL_MS, CallSpan, same_call, span_of
from tollbook.model.call_tree import by_switch, calls_of
from tollbook.model.leg import Leg, LegKey
from tollbook.times import MS_PER_DAY


def not_archived(table: Table | None, legs: Sequence[Leg]) -> set[LegKey]:
    """Return the keys of the legs whose call the archive lacks; raise ArchiveError.

    A call's first leg must be among the legs: without it nobody can tell which call it is, because a row has the id
    and the start of its call's first leg. Legs of other calls are not returned. A call that the archive has by
    another key (`same_call`) is not lacking.
    """
    calls = {
        span_of(call, switch): call
        for switch, of_switch in by_switch(legs).items()
        for call in calls_of(of_switch)
        if call.root is not None
    }
    archived = [] if table is None else _archived(table, calls)
    keys = {span.key for span in archived}
    return {
        record.key
        for span, call in calls.items()
        if span.key not in keys and same_call(span, archived) is None
        for leg in call.legs
        for record in leg.records
    }


def _archived(table: Table, calls: Iterable[CallSpan]) -> list[CallSpan]:
    """Return the archived calls that have the same id as one of these, and may have been up at the same time."""
    by_day: defaultdict[int, list[CallSpan]] = defaultdict(list)
    for call in calls:
        by_day[call.key.start_ts // MS_PER_DAY].append(call)
    return [
        found
        for day, of_day in by_day.items()
        for found in lookup.find_calls(
            table,
            {call.key.call_id for call in of_day},
            first_ms=day * MS_PER_DAY - LONGEST_CALL_MS,
            last_ms=max(call.end_ts or call.key.start_ts for call in of_day),
        )
    ]
