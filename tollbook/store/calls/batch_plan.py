"""What a batch writes, decided from the incoming and the stored legs. Pure functions."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from tollbook.model.bridged import bridged_elsewhere, bridged_last
from tollbook.model.call_key import CallKey
from tollbook.model.call_leg import CallLeg
from tollbook.model.call_tree import Call, by_switch, calls_of
from tollbook.model.charge import Price
from tollbook.model.fold import FoldSettings, fold
from tollbook.model.leg import Leg, LegKey
from tollbook.model.record import Row
from tollbook.store.calls.legs import MAX_CALL_LEGS, Related, StoredLeg

# An id that no leg has, and no leg names.
_NO_CALL: Final = ""

Pricer: TypeAlias = Callable[[Row], Price]


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchPlan:
    """The legs and rows to write, and the keys of rows to delete because all their legs now belong to other calls.

    `uncounted`: how many of the legs are new, and beyond the MAX_CALL_LEGS of their call that count.
    """

    legs: list[StoredLeg]
    stale: set[CallKey]
    rows: list[tuple[Row, Price | None]]
    uncounted: int


def plan_batch(new: Mapping[LegKey, Leg], related: Related, fold_settings: FoldSettings, price: Pricer) -> BatchPlan:
    """Fold again every call with a leg that changed, came or left, and price the call when it is complete.

    So is a call whose last leg talked with a leg of another call that changed.

    `related`: what `tollbook.store.calls.legs.related` finds for the new legs. A leg beyond those of its call that
    count is kept with them, and changes no row.
    """
    stored = related.counted
    legs = _uncounted_legs(new, related)
    uncounted = sum(1 for leg in legs if leg.leg.key not in related.uncounted)
    beyond = {leg.leg.key for leg in legs}
    known = list(merged_legs({key: leg for key, leg in new.items() if key not in beyond} if beyond else new, stored))
    touched = {leg.key for leg in known if leg.key not in stored or leg != stored[leg.key].leg}
    calls: list[tuple[CallKey, Call, CallLeg | None, bool]] = []
    noted_by_id: set[LegKey] = set()
    for switch, members in sorted(by_switch(known).items()):
        of_switch = calls_of(members)
        by_uid: dict[str, list[CallLeg]] = {}
        for call in of_switch:
            row_key = call.key(switch)
            other, other_touched = None, False
            if uid := bridged_elsewhere(call):
                by_uid = by_uid or _by_uid(of_switch)
                other = bridged_last(call, by_uid.get(uid, ()))
                other_touched = other is not None and any(record.key in touched for record in other.records)
            records = (record for leg in call.legs for record in leg.stored_records)
            changed = [
                StoredLeg(leg=record, row_key=row_key)
                for record in records
                if record.key in touched or stored[record.key].row_key != row_key
            ]
            calls.append((row_key, call, other, bool(changed) or other_touched))
            legs += changed
            uncounted += sum(
                1 for leg in call.legs[MAX_CALL_LEGS:] for record in leg.records if record.key not in stored
            )
            noted_by_id.update(record.key for leg in call.legs for record in leg.noted_by_id)
    # What is noted of a leg waits for the leg itself, in no call. Under the leg's id it would hide, from those who look
    # for the oldest call of that id, a call of legs that wait for the same one.
    legs += [
        StoredLeg(leg=leg, row_key=CallKey(leg.created_us // 1000, _NO_CALL, leg.switch))
        for leg in known
        if not leg.is_known and leg.key in touched and leg.key not in noted_by_id
    ]
    was_in = {stored[leg.leg.key].row_key for leg in legs if leg.leg.key in stored}
    rows: dict[CallKey, tuple[Row, Price | None]] = {}
    for row_key, call, other, changed in calls:
        if changed or row_key in was_in:
            row = fold(call.first(MAX_CALL_LEGS), fold_settings, row_key.switch, other)
            rows[row.key] = (row, price(row) if row.end_ts is not None else None)
    # A leg of which only something is noted made no row: the one with its key, if there is one, is another's.
    made = {stored_leg.row_key for stored_leg in stored.values() if stored_leg.leg.is_known}
    stale = made - {row_key for row_key, _, _, _ in calls}
    return BatchPlan(legs=legs, stale=stale, rows=list(rows.values()), uncounted=uncounted)


def _by_uid(calls: Iterable[Call]) -> dict[str, list[CallLeg]]:
    found: defaultdict[str, list[CallLeg]] = defaultdict(list)
    for call in calls:
        for leg in call.legs:
            found[leg.uid].append(leg)
    return found


def _uncounted_legs(new: Mapping[LegKey, Leg], related: Related) -> list[StoredLeg]:
    """Return the new legs that are stored beyond those of their call that count, or whose parent is."""
    if not related.uncounted:
        return []
    found: list[StoredLeg] = []
    # The row of each id's lives, oldest first; None for those that count.
    lives: defaultdict[tuple[str, str], dict[int, CallKey | None]] = defaultdict(dict)
    for switch, uid, created_us in related.counted:
        lives[switch, uid][created_us] = None
    for (switch, uid, created_us), stored_leg in related.uncounted.items():
        lives[switch, uid][created_us] = stored_leg.row_key
    for key, leg in sorted(new.items(), key=lambda item: item[1].created_us):
        before = related.uncounted.get(key)
        row_key = before.row_key if before else None if key in related.counted else _row_of_parent(leg, lives)
        if row_key is not None:
            found.append(StoredLeg(leg=leg.merged(before.leg) if before else leg, row_key=row_key))
        lives[leg.switch, leg.uid].setdefault(leg.created_us, row_key)
    return found


def _row_of_parent(leg: Leg, lives: Mapping[tuple[str, str], Mapping[int, CallKey | None]]) -> CallKey | None:
    facts = leg.create or leg.look or leg.end
    if facts is None or facts.parent is None:
        return None
    of_parent = lives.get((leg.switch, facts.parent.uid), {})
    newest_us = max((created_us for created_us in of_parent if created_us <= leg.created_us), default=None)
    return None if newest_us is None else of_parent[newest_us]


def merged_legs(new: Mapping[LegKey, Leg], stored: Mapping[LegKey, StoredLeg]) -> Iterator[Leg]:
    """Yield every leg, new or stored, with everything now known about it."""
    for key, stored_leg in stored.items():
        fresh = new.get(key)
        yield fresh.merged(stored_leg.leg) if fresh else stored_leg.leg
    yield from (leg for key, leg in new.items() if key not in stored)
