"""What a batch writes, decided from the incoming and the stored legs. Pure functions."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from tollbook.model.call_key import CallKey
from tollbook.model.call_tree import calls_of
from tollbook.model.charge import Price
from tollbook.model.fold import FoldSettings, fold
from tollbook.model.leg import Leg, LegKey
from tollbook.model.record import Row
from tollbook.store.calls.legs import StoredLeg

Pricer: TypeAlias = Callable[[Row], Price]


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchPlan:
    """The legs and rows to write, and the keys of rows to delete because all their legs now belong to other calls."""

    legs: list[StoredLeg]
    stale: set[CallKey]
    rows: list[tuple[Row, Price | None]]


def plan_batch(
    new: Mapping[LegKey, Leg], stored: Mapping[LegKey, StoredLeg], fold_settings: FoldSettings, price: Pricer
) -> BatchPlan:
    """Fold again every call with a leg that changed or moved into it, and price the call when it is complete.

    `stored` must hold every leg that can share a call with a new one (`tollbook.store.calls.legs.related`).
    """
    known = list(merged_legs(new, stored))
    touched = {leg.key for leg in known if leg.key not in stored or leg != stored[leg.key].leg}
    legs: list[StoredLeg] = []
    rows: dict[CallKey, tuple[Row, Price | None]] = {}
    kept: set[CallKey] = set()
    for switch, members in sorted(by_switch(known).items()):
        for call in calls_of(members):
            row_key = CallKey(call.start_us // 1000, call.call_id, switch)
            kept.add(row_key)
            records = (record for leg in call.legs for record in leg.records)
            changed = [
                StoredLeg(leg=record, row_key=row_key)
                for record in records
                if record.key in touched or stored[record.key].row_key != row_key
            ]
            if changed:
                legs += changed
                row = fold(call, fold_settings, switch)
                rows[row.key] = (row, price(row) if row.end_ts is not None else None)
    stale = {stored_leg.row_key for stored_leg in stored.values()} - kept
    return BatchPlan(legs=legs, stale=stale, rows=list(rows.values()))


def merged_legs(new: Mapping[LegKey, Leg], stored: Mapping[LegKey, StoredLeg]) -> Iterator[Leg]:
    """Yield every leg, new or stored, with everything now known about it."""
    for key, stored_leg in stored.items():
        fresh = new.get(key)
        yield fresh.merged(stored_leg.leg) if fresh else stored_leg.leg
    yield from (leg for key, leg in new.items() if key not in stored)


def by_switch(legs: Iterable[Leg]) -> dict[str, list[Leg]]:
    """Group legs by their switch: two switches never share a call."""
    grouped: defaultdict[str, list[Leg]] = defaultdict(list)
    for leg in legs:
        grouped[leg.switch].append(leg)
    return grouped
