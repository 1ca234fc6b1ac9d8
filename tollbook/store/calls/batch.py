"""One batch: incoming legs are merged with the stored ones, folded, priced and written, in one transaction.

Nothing is kept in memory between batches: the database holds everything that matters. So a restart, a second listener
on the same switch, or `recover` running beside a listener all produce the same rows.
"""

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Self

from tollbook.errors import ClockAhead, TooLate
from tollbook.model.call_key import CallKey
from tollbook.model.call_leg import began_us, joined_by_uid, recovered
from tollbook.model.call_span import same_call, span_of
from tollbook.model.call_tree import by_switch, calls_of
from tollbook.model.charge import Price
from tollbook.model.fold import FoldSettings
from tollbook.model.late_legs import find_frozen_legs
from tollbook.model.leg import Leg, LegKey, merge_all
from tollbook.model.record import Row
from tollbook.model.vocabulary import PriceCause
from tollbook.store.calls import call_rows, legs, switch_processes
from tollbook.store.calls.absent import overlapping
from tollbook.store.calls.batch_plan import Pricer, merged_legs, plan_batch
from tollbook.store.calls.legs import Related, StoredLeg
from tollbook.store.calls.switch_processes import SwitchProcess
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
    cause: PriceCause = "event",
    missing: Collection[LegKey] = (),
    processes: Collection[SwitchProcess] = (),
) -> Written:
    """Merge `incoming` legs (any order, any duplicates, several switches) into the stored calls and write the result.

    `cause`: what the history says of the prices that the batch replaces. `missing`: keys of legs that were looked for
    in the archive and belong to none of its calls. `processes`: signs of life to write with them. Raises
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
            related, unverified_ms = _lock_and_read(connection, wanted, cause, hold_legs=held)
            young_ms = max(young_ms, unverified_ms)
            if further := _parents_of_rejoined(new, related.counted) - wanted:
                wanted |= further
                related = legs.related(connection, wanted)
            talked_with = _talked_with(new, related.counted) - wanted
            related = _with_others(connection, related, talked_with)
            begun_ms = (leg.created_us // 1000 for leg in new.values())
            known_ms = (known.row_key.start_ts for known in related.counted.values())
            if not held and any(start_ms < young_ms for start_ms in chain(begun_ms, known_ms)):
                held = True
                late.hold_legs(connection)
                related = _with_others(connection, legs.related(connection, wanted), talked_with)
            if held:
                _refuse_frozen(connection, new, related.counted, missing)
            plan = plan_batch(new, related, fold_settings, price)
            with connection.pipeline():
                legs.upsert(connection, plan.legs)
                call_rows.delete(connection, plan.stale)
                call_rows.upsert(connection, plan.rows)
                switch_processes.upsert(connection, processes)
                # As a statement among the others it saves a round trip. `connection.commit()` inside the block would
                # hang from a megabyte or so on: it waits for the server, which waits for us to read.
                connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise
    return Written(rows=tuple(plan.rows), legs=len(plan.legs), uncounted=plan.uncounted)


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


def _talked_with(new: Mapping[LegKey, Leg], stored: Mapping[LegKey, StoredLeg]) -> set[LegKey]:
    """Return what else to look for: the legs of other calls that ended legs were bridged with last.

    Those of legs that end now, because the row of whom they talked with may say by this end who hung up; and those of
    the two stored legs of each call that its own row may say it by, its root and the one that ended last.
    """
    naming = list(new.values())
    last: dict[CallKey, tuple[int, Leg]] = {}
    for stored_leg in stored.values():
        leg, end = stored_leg.leg, stored_leg.leg.end
        if end is not None:
            if leg.uid == stored_leg.row_key.call_id:
                naming.append(leg)
            if end.answered_us and end.hangup_us > last.get(stored_leg.row_key, (0, leg))[0]:
                last[stored_leg.row_key] = (end.hangup_us, leg)
    naming += [leg for _, leg in last.values()]
    known_ids = {key[:2] for key in chain(new, stored)}
    return {
        (leg.switch, leg.end.details.last_bridge_to, leg.end.hangup_us)
        for leg in naming
        if leg.end is not None
        and leg.end.details is not None
        and leg.end.details.last_bridge_to
        and (leg.switch, leg.end.details.last_bridge_to) not in known_ids
    }


def _with_others(connection: Connection, related: Related, talked_with: Collection[LegKey]) -> Related:
    """Return with the related legs those of other calls that were talked with, if these calls have a row.

    Without a row they were pruned: what is archived alone is not computed anew.
    """
    if not talked_with:
        return related
    found = legs.related(connection, talked_with).counted
    rows = late.present(connection, {stored_leg.row_key for stored_leg in found.values()})
    return related.with_further(Related(counted={key: leg for key, leg in found.items() if leg.row_key in rows}))


def _lock_and_read(
    connection: Connection, wanted: Collection[LegKey], cause: PriceCause, *, hold_legs: bool
) -> tuple[Related, int]:
    """Lock each switch, in a fixed order so that two writers never deadlock, and read the related legs.

    Returns with them the time, epoch ms, before which calls may be in an archive that was attached to this database.
    The lock is per switch, not per call: a batch may find that two known calls are one, and a switch has one listener,
    or two that would do the same work. The same statement says what the batch's new prices are due to. `hold_legs`:
    keep prune out, too.
    """
    switches = {switch for switch, _, _ in wanted}
    with connection.pipeline():
        limit_transaction(connection)
        connection.execute(
            "SELECT pg_advisory_xact_lock(%s, switch), set_config('tollbook.price_cause', %s, true) FROM"
            " (SELECT DISTINCT hashtext(name) AS switch FROM unnest(%s::text[]) AS name ORDER BY 1) AS ordered",
            (SWITCH_LOCKS, cause, list(switches)),
        )
        if hold_legs:
            late.hold_legs(connection)
        window = connection.execute("SELECT unverified_before FROM hot_window")
        related = legs.related(connection, wanted)
        (unverified_ms,) = window.fetchone() or (0,)
        return related, unverified_ms


def _refuse_frozen(
    connection: Connection,
    new: Mapping[LegKey, Leg],
    stored: Mapping[LegKey, StoredLeg],
    missing: Collection[LegKey],
) -> None:
    """Raise TooLate for new legs of calls that have lost legs; prune is kept out."""
    row_keys = {key: stored_leg.row_key for key, stored_leg in stored.items()}
    members = by_switch(merged_legs(new, stored))
    made = [span_of(call, switch) for switch, legs_of_switch in members.items() for call in calls_of(legs_of_switch)]
    rows = late.present(connection, {call.key for call in made}.union(row_keys.values()))
    window = read_window(connection)
    # A row that was restored from the archive can have another key than its call would get from these legs alone.
    restored = [call for call in made if call.key not in rows and call.key.start_ts < window.unverified_ts]
    if restored:
        known = overlapping(connection, restored)
        rows |= {call.key for call in restored if same_call(call, known)}
    frozen = {
        key
        for legs_of_switch in members.values()
        for key in find_frozen_legs(legs_of_switch, row_keys, rows, window.leg_us, window.unverified_ts * 1000)
    }
    if too_late := (frozen & new.keys()) - set(missing):
        raise TooLate(too_late)
