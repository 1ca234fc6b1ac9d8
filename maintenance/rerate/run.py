"""`tollbook rerate`: price calls again with today's decks, in both tiers, and keep the price that each had.

First the calls in PostgreSQL, page by page. Then those that only the archive has: they are written to PostgreSQL as
corrections, which the next `archive run` archives. Each page is one transaction, and a call that has its right price
is skipped, so a run that was interrupted is simply started again. Days that are pruned meanwhile are priced in one tier
or the other (`pruned_spans`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from maintenance.progress import Progress, no_progress
from maintenance.rerate.price_change import archived_call, is_changed
from maintenance.rerate.pruned_spans import KeySpan, add_page
from maintenance.rerate.report import RerateReport
from rating.loader import load_tariffs
from tollbook.archive.answered import answered_calls
from tollbook.archive.catalog import open_catalog
from tollbook.archive.known import load_known_calls
from tollbook.archive.rows import ArchivedRow
from tollbook.config import Settings
from tollbook.errors import Retryable, UsageError
from tollbook.model.call_key import CallKey
from tollbook.model.charge import Price
from tollbook.store.archive_commits import archive_begun
from tollbook.store.command_lock import LockHeld, hold_lock, owner_name
from tollbook.store.database import Connection, check_schema, connect, limit_transaction, store_errors
from tollbook.store.days.window import hold_window
from tollbook.store.history import refuse_restored
from tollbook.store.locks import RERATE_LOCK
from tollbook.store.tariffs import price_history, tariffs
from tollbook.store.tariffs import rerate as store
from tollbook.store.tariffs.price_history import Replacement
from tollbook.store.tariffs.rerate import PricedCall, RerateScope

# A page is one transaction of a fraction of a second: the listener waits no longer for a row in it.
PAGE_CALLS = 2_000

# How long to wait for another one, or an erasure.
_WAIT_S = 5.0

Repricer = Callable[[PricedCall], Price]


@dataclass(frozen=True, kw_only=True)
class RerateRequest:
    """Which calls to price again: of these accounts and of accounts on `plan`, started in [since, until) epoch ms.

    No accounts and no plan: every account. `unrated`: only calls without a price. `by_whom`, `reason` and `options`,
    the command line's, go into the history of prices.
    """

    accounts: tuple[str, ...]
    plan: str | None
    since: int
    until: int
    unrated: bool
    by_whom: str
    reason: str
    options: str


def rerate_calls(
    settings: Settings, request: RerateRequest, *, dry_run: bool, progress: Progress = no_progress
) -> RerateReport:
    """Price the requested calls again; with `dry_run`, change nothing. `progress`: calls looked at, and in all.

    Raises UsageError for an unknown account or plan, ArchiveForked before an archive is attached to a database that was
    restored, Retryable beside another one or an erasure, and our other errors; what was done until then stays done, and
    a second run continues from there.
    """
    url = settings.require_database_url()
    with connect(url, name="rerate", autocommit=True) as connection, ExitStack() as held:
        check_schema(connection)
        if not dry_run:
            try:
                held.enter_context(hold_lock(url, number=RERATE_LOCK, name=owner_name("rerate"), wait_s=_WAIT_S))
            except LockHeld as holder:
                raise Retryable(
                    f"calls are being priced again or erased ({holder}): run this again when that has ended"
                ) from None
        # The archive may have newer rows than PostgreSQL, and what is priced here would replace them.
        refuse_restored(connection, settings.data_dir)
        scope = RerateScope(
            accounts=_accounts(connection, request),
            since=request.since,
            until=request.until,
            unrated=request.unrated,
        )
        repricer = _load_repricer(connection)
        total = store.count(connection, scope)
        run_id = None if dry_run else _begin(connection, request)
        report = RerateReport(dry_run=dry_run)
        run = _Rerate(connection=connection, run_id=run_id, repricer=repricer, report=report)
        pruned = list[KeySpan]()
        for page, window_start in run.reprice_stored(scope):
            pruned = add_page(pruned, page, window_start)
            progress(report.looked_at, total)
        for rows in _archived_pages(settings, scope, pruned):
            run.reprice_archived(rows)
            progress(report.looked_at, max(total, report.looked_at))
        if run_id is not None:
            price_history.finish_run(connection, run_id)
    return report


def _accounts(connection: Connection, request: RerateRequest) -> tuple[str, ...] | None:
    """Return the accounts whose calls are priced again, None for all."""
    if not request.accounts and request.plan is None:
        return None
    known = {account.account_id for account in tariffs.accounts(connection)}
    for account in request.accounts:
        if account not in known:
            raise UsageError(f"there is no account {account!r}: `tollbook account list` shows them")
    accounts = set(request.accounts) or known
    if request.plan is not None:
        accounts &= store.accounts_of(connection, request.plan)
    return tuple(sorted(accounts))


def _load_repricer(connection: Connection) -> Repricer:
    with store_errors(), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        loaded = load_tariffs(connection)

    def price(call: PricedCall) -> Price:
        charges = [priced.charge for priced in call.price.parts]
        return loaded.price_charges(call.account_id, call.key.start_ts, True, charges)

    return price


def _begin(connection: Connection, request: RerateRequest) -> int:
    return price_history.begin_run(connection, by_whom=request.by_whom, reason=request.reason, scope=request.options)


@dataclass(frozen=True, kw_only=True)
class _Rerate:
    """A run; without `run_id` it is dry."""

    connection: Connection
    run_id: int | None
    repricer: Repricer
    report: RerateReport

    def reprice_stored(self, scope: RerateScope) -> Iterator[tuple[KeySpan, int]]:
        """Price what PostgreSQL has again; yield each page with the window's start, epoch ms, at which it was read."""
        after = CallKey(scope.since, "", "")
        end = CallKey(scope.until, "", "")
        while after < end:
            last, window_start = self._reprice_page(scope, after)
            yield KeySpan(after=after, last=last or end), window_start
            after = last or end

    def _reprice_page(self, scope: RerateScope, after: CallKey) -> tuple[CallKey | None, int]:
        """Price the next page again; return its last key, None if it is empty, and the window's start.

        No day of it is dropped between its reading and its writing.
        """
        with store_errors(), self.connection.transaction():
            limit_transaction(self.connection)
            window_start = hold_window(self.connection).start_ts
            calls = store.page(self.connection, scope, after=after, limit=PAGE_CALLS)
            priced = [Replacement(call=call, price=self.repricer(call)) for call in calls]
            changes = [change for change in priced if is_changed(change.call.price, change.price)]
            done = None if self.run_id is None else price_history.replace(self.connection, self.run_id, changes)
        self._count(len(calls), changes, done)
        return calls[-1].key if calls else None, window_start

    def reprice_archived(self, rows: list[ArchivedRow]) -> None:
        calls = [(archived_call(row), row) for row in rows]
        priced = [Replacement(call=call, price=self.repricer(call), archived=row) for call, row in calls]
        changes = {change.call.key: change for change in priced if is_changed(change.call.price, change.price)}
        for key in store.present(self.connection, changes):
            del changes[key]  # PostgreSQL has its row: it was priced in the first pass, and waits for the archive
        done = None
        if self.run_id is not None:
            done = price_history.write_corrections(self.connection, self.run_id, changes.values())
        self._count(len(rows), changes.values(), done)

    def _count(self, looked_at: int, changes: Iterable[Replacement], done: set[CallKey] | None) -> None:
        """Count a page; of the changes, those that were written (`done`), or all in a dry run."""
        self.report.looked_at += looked_at
        for change in changes:
            if done is None or change.call.key in done:
                self.report.add(change)


def _archived_pages(settings: Settings, scope: RerateScope, spans: Sequence[KeySpan]) -> Iterator[list[ArchivedRow]]:
    """Yield the archived calls of a scope that lie in one of the spans."""
    if not spans:
        return
    with open_catalog(settings) as catalog:
        table = load_known_calls(catalog, partial(archive_begun, settings.require_database_url()))
        if table is None:
            return
        for span in spans:
            for rows in answered_calls(
                table,
                accounts=scope.accounts,
                since_ms=span.after.start_ts,
                until_ms=min(span.last.start_ts + 1, scope.until),
                unrated=scope.unrated,
            ):
                yield [row for row in rows if CallKey(row["start_ts"], row["call_id"], row["switch"]) in span]
