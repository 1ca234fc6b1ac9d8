"""One batch: the legs that came in are merged with what is stored, folded, priced and written, in one transaction.

The database is the truth. Nothing is remembered between batches, so a restart, a second listener on the same
switch, or `recover` beside a listener all give the same rows.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tollbook.errors import DataError, TooLate
from tollbook.model.call_key import CallKey
from tollbook.model.call_tree import Call, calls_of
from tollbook.model.charge import Price
from tollbook.model.fold import FoldSettings, fold
from tollbook.model.late_legs import find_frozen_legs
from tollbook.model.leg import Leg, LegKey, merge_all
from tollbook.model.record import Row
from tollbook.store.calls import call_rows, legs
from tollbook.store.calls.legs import StoredLeg
from tollbook.store.database import Connection, store_errors
from tollbook.store.days import late
from tollbook.store.days.partitions import Partitions
from tollbook.store.days.window import read_window
from tollbook.store.locks import SWITCH_LOCKS
from tollbook.times import MS_PER_DAY

# Younger calls have all their legs: the shortest retention is a day, and legs are kept for two more.
_SURELY_WHOLE_MS = MS_PER_DAY

Pricer: TypeAlias = Callable[[Row], Price]


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """What a batch did: the rows it folded, and how many legs it wrote."""

    rows: tuple[tuple[Row, Price | None], ...]
    legs: int


def write_batch(
    connection: Connection,
    incoming: Iterable[Leg],
    fold_settings: FoldSettings,
    price: Pricer,
    partitions: Partitions,
    *,
    missing: Collection[LegKey] = (),
) -> Written:
    """Write what `incoming` legs (any order, any duplicates, several switches) make of the stored calls.

    `missing` are keys of legs that were looked for in the archive and belong to none of its calls. Raises
    StoreUnavailable, after which nothing was written and the same batch may be tried again, or DataError for a value
    that PostgreSQL refuses; TooLate, also a DataError, for legs of calls whose other legs were pruned.
    """
    new = merge_all(incoming)
    with store_errors():
        try:
            partitions.ensure(
                connection,
                call_days={leg.created_us // 1000 // MS_PER_DAY for leg in new.values()},
                leg_days={leg.created_us // 1000 // MS_PER_DAY for leg in new.values()},
            )
            stored = _lock_and_read(connection, new.values())
            if _reaches_back(new, stored):
                stored = _hold_and_read(connection, new, missing)
            change = _change(new, stored, fold_settings, price)
            with connection.pipeline():
                legs.upsert(connection, change.legs)
                call_rows.delete(connection, change.stale)
                call_rows.upsert(connection, change.rows)
                connection.commit()
        except BaseException:
            connection.rollback()
            raise
    return Written(rows=tuple(change.rows), legs=len(change.legs))


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """A leg that PostgreSQL will not take, and why; `late` when it is its call that is gone."""

    leg: Leg
    reason: str
    late: bool = False


def write_around_poison(
    connection: Connection,
    incoming: Sequence[Leg],
    fold_settings: FoldSettings,
    price: Pricer,
    partitions: Partitions,
    *,
    missing: Collection[LegKey] = (),
) -> tuple[Written, list[Refused]]:
    """Write a batch; when a value in it is refused, find the leg that it comes from, so that it costs only itself.

    Legs that come too late are refused, too. `missing` as in `write_batch`. Raises StoreUnavailable, after which the
    same batch may be tried again: what was written stays written.
    """
    try:
        return write_batch(connection, incoming, fold_settings, price, partitions, missing=missing), []
    except TooLate as error:
        kept = [leg for leg in incoming if leg.key not in error.legs]
        too_late = [Refused(leg=leg, reason=str(error), late=True) for leg in incoming if leg.key in error.legs]
        written, refused = write_around_poison(connection, kept, fold_settings, price, partitions, missing=missing)
        return written, refused + too_late
    except DataError as error:
        partitions.forget()  # a day that somebody dropped by hand looks like a refused value too
        if len(incoming) == 1:
            return _alone(connection, incoming[0], fold_settings, price, partitions, missing, error)
    half = len(incoming) // 2
    first, refused = write_around_poison(connection, incoming[:half], fold_settings, price, partitions, missing=missing)
    second, more = write_around_poison(connection, incoming[half:], fold_settings, price, partitions, missing=missing)
    return Written(rows=first.rows + second.rows, legs=first.legs + second.legs), refused + more


def _alone(
    connection: Connection,
    leg: Leg,
    fold_settings: FoldSettings,
    price: Pricer,
    partitions: Partitions,
    missing: Collection[LegKey],
    error: DataError,
) -> tuple[Written, list[Refused]]:
    try:
        return write_batch(connection, [leg], fold_settings, price, partitions, missing=missing), []
    except DataError:
        return Written(rows=(), legs=0), [Refused(leg=leg, reason=str(error))]


def _lock_and_read(connection: Connection, incoming: Iterable[Leg]) -> dict[LegKey, StoredLeg]:
    """Take each switch's lock, in order so that two writers never deadlock, and read the legs that are related.

    One lock a switch, rather than one a call: a batch can join calls that it did not know to be one, and a
    switch has one listener, or two that would do the same work.
    """
    ids: set[str] = set()
    switches: set[str] = set()
    for leg in incoming:
        ids.add(leg.uid)
        switches.add(leg.switch)
        ids.update(facts.parent.uid for facts in (leg.create, leg.look, leg.end) if facts and facts.parent)
    with connection.pipeline():
        connection.execute(
            "SELECT pg_advisory_xact_lock(%s, switch) FROM"
            " (SELECT DISTINCT hashtext(name) AS switch FROM unnest(%s::text[]) AS name ORDER BY 1) AS ordered",
            (SWITCH_LOCKS, list(switches)),
        )
        return {stored.leg.key: stored for stored in legs.related(connection, ids)}


def _hold_and_read(
    connection: Connection, new: Mapping[LegKey, Leg], missing: Collection[LegKey]
) -> dict[LegKey, StoredLeg]:
    """Read the related legs again while none can be pruned; raises TooLate for legs of calls that have lost some."""
    late.hold_legs(connection)
    stored = _lock_and_read(connection, new.values())
    row_keys = {key: one.row_key for key, one in stored.items()}
    rows, kept_from_us = late.present(connection, set(row_keys.values())), read_window(connection).leg_us
    by_switch: defaultdict[str, list[Leg]] = defaultdict(list)
    for leg in _merged(new, stored):
        by_switch[leg.switch].append(leg)
    lost = {key for legs in by_switch.values() for key in find_frozen_legs(legs, row_keys, rows, kept_from_us)}
    if too_late := (lost & new.keys()) - set(missing):
        raise TooLate(too_late)
    return stored


def _reaches_back(new: Mapping[LegKey, Leg], stored: Mapping[LegKey, StoredLeg]) -> bool:
    """Tell whether a leg, or a call that it may belong to, is so old that legs of it may have been pruned."""
    young_ms = time.time_ns() // 1_000_000 - _SURELY_WHOLE_MS
    return any(one.row_key.start_ts < young_ms for one in stored.values()) or any(
        leg.created_us // 1000 < young_ms for leg in new.values()
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Change:
    legs: list[StoredLeg]
    stale: set[CallKey]
    rows: list[tuple[Row, Price | None]]


def _change(
    new: dict[LegKey, Leg],
    stored: dict[LegKey, StoredLeg],
    fold_settings: FoldSettings,
    price: Pricer,
) -> _Change:
    """Decide what to write: pure. Only calls with a leg that changed, or that moved, are folded again."""
    by_switch: defaultdict[str, list[Leg]] = defaultdict(list)
    touched: set[LegKey] = set()
    for leg in _merged(new, stored):
        by_switch[leg.switch].append(leg)
        before = stored.get(leg.key)
        if before is None or leg != before.leg:
            touched.add(leg.key)
    written: list[StoredLeg] = []
    rows: dict[CallKey, tuple[Row, Price | None]] = {}
    kept: set[CallKey] = set()
    for switch, members in sorted(by_switch.items()):
        for call in calls_of(members):
            row_key = CallKey(call.start_us // 1000, call.call_id, switch)
            kept.add(row_key)
            changed = [
                StoredLeg(leg=record, row_key=row_key)
                for record in _records(call)
                if record.key in touched or stored[record.key].row_key != row_key
            ]
            if changed:
                written += changed
                row = fold(call, fold_settings, switch)
                rows[row.key] = (row, price(row) if row.end_ts is not None else None)
    stale = {one.row_key for one in stored.values()} - kept
    return _Change(legs=written, stale=stale, rows=list(rows.values()))


def _merged(new: Mapping[LegKey, Leg], stored: Mapping[LegKey, StoredLeg]) -> Iterable[Leg]:
    """Give every leg, new or stored, as it is known now."""
    for key, one in stored.items():
        fresh = new.get(key)
        yield fresh.merged(one.leg) if fresh else one.leg
    yield from (leg for key, leg in new.items() if key not in stored)


def _records(call: Call) -> Iterable[Leg]:
    return (record for leg in call.legs for record in leg.records)
