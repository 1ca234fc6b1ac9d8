"""`tollbook rerate`: price calls again by the decks of today, in both tiers, and keep the price that each had.

Pages of PostgreSQL first, then the calls that only the archive has: these come back as rows, corrections for the
next `archive run` to take. Each page is one transaction, and a call that has its right price is passed over, so a run
that was cut short is simply run again.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from maintenance.rerate.report import RerateReport
from rating.loader import load_tariffs
from tollbook.archive.answered import ArchivedRow, answered_calls
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.model.call_key import CallKey
from tollbook.model.charge import Price, PricedCharge
from tollbook.store.database import Connection, check_schema, connect, store_errors
from tollbook.store.tariffs import price_history
from tollbook.store.tariffs import rerate as store
from tollbook.store.tariffs.price_history import Replacement
from tollbook.store.tariffs.rerate import PricedCall, Scope

# A page is one transaction, a fraction of a second; the listener waits no longer for a row in it.
PAGE_CALLS = 2_000

UNKNOWN_REASON = "archived without the reason"

_parts = msgspec.json.Decoder(tuple[PricedCharge, ...]).decode

Pricer = Callable[[PricedCall], Price]
Progress = Callable[[int, int], None]


def rerate(
    settings: Settings, wanted: Scope, *, by_whom: str, reason: str, told: str, dry_run: bool, progress: Progress
) -> RerateReport:
    """Price the calls of `wanted` again; `told` says the scope in the run's record. `dry_run` changes nothing.

    `progress` is told the calls looked at and how many PostgreSQL has. Raises our errors; what was done until then
    stays done, and a second run goes on from there.
    """
    totals = RerateReport()
    with connect(settings.require_database_url(), name="rerate", autocommit=True) as connection:
        check_schema(connection)
        with store_errors(), connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            tariffs = load_tariffs(connection)
        boundary = store.window_start(connection)
        total = store.count(connection, wanted)
        run_id = None if dry_run else price_history.begin(connection, by_whom=by_whom, reason=reason, scope=told)
        work = _Work(connection=connection, run_id=run_id, totals=totals)

        def price(call: PricedCall) -> Price:
            return tariffs.price_charges(
                call.account_id, call.key.start_ts, True, [part.charge for part in call.price.parts]
            )

        for calls in _pages(connection, wanted):
            work.replace(Replacement(call=call, price=price(call)) for call in calls)
            totals.looked_at += len(calls)
            progress(totals.looked_at, total)
        for rows in _archived(settings, wanted, until_ms=min(wanted.until, boundary)):
            work.write_corrections(rows, price)
            totals.looked_at += len(rows)
            progress(totals.looked_at, max(total, totals.looked_at))
        if run_id is not None:
            price_history.finish(connection, run_id)
    return totals


@dataclass(frozen=True, kw_only=True)
class _Work:
    connection: Connection
    run_id: int | None
    totals: RerateReport

    def replace(self, calls: Iterable[Replacement]) -> None:
        changes = [one for one in calls if differs(one.call.price, one.price)]
        done = None if self.run_id is None else price_history.replace(self.connection, self.run_id, changes)
        self._count(changes, done)

    def write_corrections(self, rows: list[ArchivedRow], price: Pricer) -> None:
        calls = [(archived_call(row), row) for row in rows]
        priced = [Replacement(call=call, price=price(call), archived=row) for call, row in calls]
        changes = {one.call.key: one for one in priced if differs(one.call.price, one.price)}
        for key in store.present(self.connection, changes):
            del changes[key]  # its row is here: priced in the first pass, and on its way to the archive
        done = (
            None
            if self.run_id is None
            else price_history.write_corrections(self.connection, self.run_id, changes.values())
        )
        self._count(changes.values(), done)

    def _count(self, changes: Iterable[Replacement], done: set[CallKey] | None) -> None:
        for change in changes:
            if done is None or change.call.key in done:
                self.totals.add(change)


def _pages(connection: Connection, wanted: Scope) -> Iterator[list[PricedCall]]:
    after: CallKey | None = None
    while calls := store.page(connection, wanted, after=after, limit=PAGE_CALLS):
        yield calls
        after = calls[-1].key


def _archived(settings: Settings, wanted: Scope, *, until_ms: int) -> Iterator[list[ArchivedRow]]:
    if until_ms <= wanted.since:
        return
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        if table is not None:
            yield from answered_calls(
                table, accounts=wanted.accounts, since_ms=wanted.since, until_ms=until_ms, unrated=wanted.unrated
            )


def archived_call(row: ArchivedRow) -> PricedCall:
    """Make of an archived row the call that is priced; the archive does not say why one is unrated."""
    return PricedCall(
        key=CallKey(row["start_ts"], row["call_id"], row["switch"]),
        account_id=row["account_id"],
        revision=row["revision"],
        price=Price(
            cost_micros=row["cost_micros"],
            currency=row["currency"],
            unrated=None if row["cost_micros"] is not None else UNKNOWN_REASON,
            parts=_parts(row["parts"]) if row["parts"] else (),
        ),
    )


def differs(old: Price, new: Price) -> bool:
    """Tell whether a price changes: the money of the call or of a part, or the reason why there is none.

    The rate that priced a part may have got another version that prices the same: that is no change.
    """
    if old.unrated == UNKNOWN_REASON and new.unrated is not None:
        return False
    return _money(old) != _money(new)


def _money(price: Price) -> tuple[object, ...]:
    return (price.cost_micros, price.currency, price.unrated, [part.cost_micros for part in price.parts])
