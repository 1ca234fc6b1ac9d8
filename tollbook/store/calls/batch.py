"""One batch: incoming legs are merged with the stored ones, folded, priced and written, in one transaction.

Nothing is kept in memory between batches: the database holds everything that matters. So a restart, a second listener
on the same switch, or `recover` running beside a listener all produce the same rows.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from tollbook.errors import ClockAhead, DataError, LegsRefused, TooLate
from tollbook.model.call_tree import began_us, by_switch, joined_by_uid, recovered
from tollbook.model.charge import Price
from tollbook.model.fold import FoldSettings
from tollbook.model.late_legs import find_frozen_legs
from tollbook.model.leg import Leg, LegKey, merge_all
from tollbook.model.record import Row
from tollbook.store.calls import call_rows, legs
from tollbook.store.calls.batch_plan import Pricer, merged_legs, plan_batch
from tollbook.store.calls.legs import Related, StoredLeg
from tollbook.store.database import Connection, limit_transaction, store_errors
from tollbook.store.days import late
from tollbook.store.days.partitions import DAYS_AHEAD, Partitions
from tollbook.store.days.window import read_window
from tollbook.store.locks import SWITCH_LOCKS
from tollbook.times import MS_PER_DAY, US_PER_DAY, current_day

# Calls younger than this still have all their legs: the shortest retention is a day, and legs are kept two days longer.
_SURELY_WHOLE_MS = MS_PER_DAY


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """The result of a batch: the rows it folded, and how many legs it wrote.

    `uncounted`: how many of these are new, and beyond the legs of their call that count.
    """

    rows: tuple[tuple[Row, Price | None], ...] = ()
    legs: int = 0
    uncounted: int = 0

    def __add__(self, other: Self) -> Self:
        """Return the result of both batches."""
        return type(self)(
            rows=self.rows + other.rows, legs=self.legs + other.legs, uncounted=self.uncounted + other.uncounted
        )


def write_batch(
    connection: Connection,
    incoming: Iterable[Leg],
    fold_settings: FoldSettings,
    price: Pricer,
    partitions: Partitions,
    *,
    missing: Collection[LegKey] = (),
) -> Written:
    """Merge `incoming` legs (any order, any duplicates, several switches) into the stored calls and write the result.

    `missing`: keys of legs that were looked for in the archive and belong to none of its calls. Raises
    StoreUnavailable: nothing was written and the same batch may be tried again; DataError for a value that PostgreSQL
    refuses; TooLate, a DataError, for legs of calls whose other legs were pruned; ClockAhead, a DataError, for legs
    that begin later than the days that are kept ready.
    """
    new = merge_all(incoming)
    days = {leg.created_us // US_PER_DAY for leg in new.values()}
    last_day = current_day() + DAYS_AHEAD
    if max(days, default=0) > last_day:
        raise ClockAhead([leg.key for leg in new.values() if leg.created_us // US_PER_DAY > last_day])
    with store_errors():
        try:
            # The call of a recovered leg begins with the leg's answer, perhaps the day before.
            call_days = days | {began_us(leg) // US_PER_DAY for leg in new.values() if recovered(leg)}
            partitions.ensure(connection, call_days=call_days, leg_days=days)
            wanted = _wanted(new.values())
            young_ms = time.time_ns() // 1_000_000 - _SURELY_WHOLE_MS
            held = any(leg.created_us // 1000 < young_ms for leg in new.values())
            related = _lock_and_read(connection, wanted, hold_legs=held)
            if further := _parents_of_rejoined(new, related.counted) - wanted:
                wanted |= further
                related = legs.related(connection, wanted)
            if not held and any(known.row_key.start_ts < young_ms for known in related.counted.values()):
                held = True
                late.hold_legs(connection)
                related = legs.related(connection, wanted)
            if held:
                _refuse_frozen(connection, new, related.counted, missing)
            plan = plan_batch(new, related, fold_settings, price)
            with connection.pipeline():
                legs.upsert(connection, plan.legs)
                call_rows.delete(connection, plan.stale)
                call_rows.upsert(connection, plan.rows)
            # After the block: inside it, libpq waits for the server to read while the server waits for us to read, from
            # a megabyte or so on.
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
    return Written(rows=tuple(plan.rows), legs=len(plan.legs), uncounted=plan.uncounted)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """A leg that was not written, and why; `late` when other legs of its call were pruned."""

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
    """Write a batch; when PostgreSQL refuses a value, find the leg it comes from and write all the others.

    Legs that arrive too late, or begin too far ahead, are refused too. `missing` as in `write_batch`. Raises
    StoreUnavailable, after which the same batch may be tried again: what was written stays written.
    """

    def write(legs: Sequence[Leg]) -> Written:
        return write_batch(connection, legs, fold_settings, price, partitions, missing=missing)

    def write_around(legs: Sequence[Leg]) -> tuple[Written, list[Refused]]:
        try:
            return write(legs), []
        except LegsRefused as error:
            late = isinstance(error, TooLate)
            named = [Refused(leg=leg, reason=str(error), late=late) for leg in legs if leg.key in error.legs]
            written, refused = write_around([leg for leg in legs if leg.key not in error.legs])
            return written, refused + named
        except DataError as error:
            partitions.forget()  # a partition that somebody dropped by hand also looks like a refused value
            if len(legs) == 1:
                return write_alone(legs[0], error)
        half = len(legs) // 2
        first, refused = write_around(legs[:half])
        second, more = write_around(legs[half:])
        return first + second, refused + more

    def write_alone(leg: Leg, error: DataError) -> tuple[Written, list[Refused]]:
        try:
            return write([leg]), []
        except DataError:
            return Written(), [Refused(leg=leg, reason=str(error))]

    return write_around(incoming)


def _wanted(incoming: Iterable[Leg]) -> set[LegKey]:
    """Return what to look for: each leg's id and its parents', at the time at which the leg began."""
    wanted: set[LegKey] = set()
    for leg in incoming:
        wanted.add(leg.key)
        for facts in (leg.create, leg.look, leg.end):
            if facts and facts.parent:
                wanted.add((leg.switch, facts.parent.uid, leg.created_us))
    return wanted


def _parents_of_rejoined(new: Mapping[LegKey, Leg], stored: Mapping[LegKey, StoredLeg]) -> set[LegKey]:
    """Return what else to look for: the parents of legs whose records are joined differently from now on.

    A new record of a used id parts what `sofia recover` seemed to continue, and another record names the parent then.
    """
    new_ids = {(switch, uid) for switch, uid, _ in new}
    ids = {key[:2] for key in stored if key[:2] in new_ids and key not in new}
    if not ids:  # nearly always
        return set()
    records = (record for record in merged_legs(new, stored) if (record.switch, record.uid) in ids)
    return {
        (switch, leg.origin.parent.uid, leg.created_us)
        for switch, of_switch in by_switch(records).items()
        for same_uid in joined_by_uid(of_switch).values()
        for leg in same_uid
        if leg.origin.parent
    }


def _lock_and_read(connection: Connection, wanted: Collection[LegKey], *, hold_legs: bool) -> Related:
    """Lock each switch, in a fixed order so that two writers never deadlock, and read the related legs.

    The lock is per switch, not per call: a batch may find that two known calls are one, and a switch has one listener,
    or two that would do the same work. `hold_legs`: keep prune out, too.
    """
    switches = {switch for switch, _, _ in wanted}
    with connection.pipeline():
        limit_transaction(connection)
        connection.execute(
            "SELECT pg_advisory_xact_lock(%s, switch) FROM"
            " (SELECT DISTINCT hashtext(name) AS switch FROM unnest(%s::text[]) AS name ORDER BY 1) AS ordered",
            (SWITCH_LOCKS, list(switches)),
        )
        if hold_legs:
            late.hold_legs(connection)
        return legs.related(connection, wanted)


def _refuse_frozen(
    connection: Connection,
    new: Mapping[LegKey, Leg],
    stored: Mapping[LegKey, StoredLeg],
    missing: Collection[LegKey],
) -> None:
    """Raise TooLate for new legs of calls that have lost legs; prune is kept out."""
    row_keys = {key: stored_leg.row_key for key, stored_leg in stored.items()}
    rows, kept_from_us = late.present(connection, set(row_keys.values())), read_window(connection).leg_us
    frozen = {
        key
        for legs_of_switch in by_switch(merged_legs(new, stored)).values()
        for key in find_frozen_legs(legs_of_switch, row_keys, rows, kept_from_us)
    }
    if too_late := (frozen & new.keys()) - set(missing):
        raise TooLate(too_late)
