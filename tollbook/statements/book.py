"""The book of an account: its issued statements, and its next one as it would be now, out of both tiers.

A statement is computed from what PostgreSQL and the archive have, never from sums that something else keeps. The two
are read as a page of calls is (`tollbook.model.tiers`): PostgreSQL in one snapshot, then the archive. So no call is
missing or counted twice, whatever is archived, pruned, restored or priced again meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from tollbook.archive.period_sums import ArchivedSums, PeriodsQuestion
from tollbook.config import Settings
from tollbook.errors import UsageError
from tollbook.model.party import Party
from tollbook.model.statement_sums import add_up
from tollbook.model.taxes import Tax, parse_taxes
from tollbook.statements.compute import MOST_NAMED, Terms, TodaysSums, compute
from tollbook.statements.period import Period, due_month, month_at, next_month, period_of
from tollbook.statements.statement import Issued, Statement, thaw
from tollbook.store.database import Connection
from tollbook.store.days.window import read_dropped_before
from tollbook.store.statements import billing, issued
from tollbook.store.statements.hot_sums import HotSums, read_hot_sums


@dataclass(frozen=True, kw_only=True)
class StatementSettings:
    """What the operator's settings say of statements; an account may have its own zone and taxes."""

    issuer: Party
    taxes: Sequence[Tax]
    zone: str

    @classmethod
    def of(cls, settings: Settings) -> "StatementSettings":
        """Take them out of all settings."""
        return cls(
            issuer=settings.issuer,
            taxes=settings.taxes,
            zone=settings.statement_zone,
        )


@dataclass(frozen=True, kw_only=True)
class HotDraft:
    """What a statement is computed from, but for the archive: all of one snapshot of PostgreSQL.

    `issued`: the statements that this one corrects: all of the account if it is the next, and else none. `periods`:
    theirs, and its own. `months`: of all issued statements of the account, the first one first. `due`: the month that
    is to be issued after them; None for the first. `erasing`: calls of the account may be being erased.
    """

    terms: Terms
    issued: Sequence[Statement]
    periods: Sequence[Period]
    months: Sequence[str]
    due: str | None
    hot: HotSums
    erased: bool
    erasing: bool
    dropped_before: int

    @property
    def bounds(self) -> tuple[int, ...]:
        """The starts of the periods, and the end of the last, epoch ms."""
        return (*(period.from_ts for period in self.periods), self.periods[-1].until_ts)

    @property
    def archived(self) -> PeriodsQuestion | None:
        """What to ask the archive for: what lies before PostgreSQL's window; None when all of it is in the window."""
        end = min(self.bounds[-1], self.hot.window_start)
        starts = tuple(start for start in self.bounds[:-1] if start < end)
        if not starts:
            return None
        return PeriodsQuestion(
            account_id=self.terms.account_id,
            bounds=(*starts, end),
            excluded=self.hot.superseded,
            most_named=MOST_NAMED,
        )

    def complete(self, archived: ArchivedSums) -> Statement:
        """Return the statement as a draft, with what the archive holds; raises DataError as `compute` does."""
        today = TodaysSums(
            periods=self.periods,
            sums=add_up((*self.hot.rows, *archived.rows), len(self.periods)),
            named=(*self.hot.named, *archived.named),
            lost=frozenset(period.month for period in self.periods[:-1] if period.from_ts < self.dropped_before),
            erased=self.erased,
            as_of_ts=self.hot.as_of_ts,
        )
        return compute(self.terms, today, self.issued)


def find_issued(connection: Connection, account_id: str, month: str) -> Issued | None:
    """Return the issued statement of a month, None if there is none; raises StoreUnavailable and DataError."""
    found = issued.find(connection, account_id, month)
    return None if found is None else thaw(found.content, found.sha256)


def read_billing(connection: Connection, account_id: str) -> billing.Billing:
    """Read how an account is addressed; raises UsageError for an account that does not exist, and StoreUnavailable."""
    found = billing.read(connection, account_id)
    if found is None:
        raise UsageError(f"there is no account {account_id!r}: `tollbook account list` lists them")
    return found


def read_draft(
    connection: Connection, settings: StatementSettings, account_id: str, month: str, *, now_ms: int
) -> HotDraft:
    """Read PostgreSQL's part of a month that is not issued. Call inside `row_security.snapshot` or `reading`.

    Raises UsageError for an account that does not exist, for a month that has not begun and for one of which calls were
    dropped, and StoreUnavailable.
    """
    party = read_billing(connection, account_id)
    zone = party.zone or settings.zone
    if month > month_at(now_ms, ZoneInfo(zone)):
        raise UsageError(f"{month} has not begun: there is no statement of it yet")
    earlier = [thaw(row.content, row.sha256).statement for row in issued.read_all(connection, account_id)]
    periods = [
        Period(month=statement.month, from_ts=statement.from_ts, until_ts=statement.until_ts) for statement in earlier
    ]
    months, dropped_before = [period.month for period in periods], read_dropped_before(connection)
    due = due_month(months[-1], ZoneInfo(zone), dropped_before=dropped_before) if months else None
    if month != due:
        # Only the month that is due corrects the earlier ones: of any other, what lies between is not issued.
        earlier, periods = [], []
    adjoins = bool(periods) and next_month(periods[-1].month) == month
    period = period_of(month, ZoneInfo(zone), after=periods[-1] if adjoins else None)
    if period.from_ts < dropped_before:
        raise UsageError(f"the archive's retention has dropped calls of {month}: nobody can say what they came to")
    taxes = tuple(settings.taxes) if party.taxes is None else parse_taxes(party.taxes)
    newest_ts = max((statement.as_of_ts for statement in earlier), default=0)
    draft_periods, erasing = [*periods, period], issued.is_erasing(connection, account_id)
    return HotDraft(
        terms=Terms(
            account_id=account_id,
            zone=zone,
            issuer=settings.issuer,
            recipient=Party(name=party.name, address=tuple(party.address), tax_id=party.tax_id),
            taxes=taxes,
        ),
        issued=earlier,
        periods=draft_periods,
        months=months,
        due=due,
        hot=read_hot_sums(
            connection,
            account_id,
            [*(each.from_ts for each in draft_periods), period.until_ts],
            most_named=MOST_NAMED,
        ),
        erased=bool(earlier) and (erasing or issued.erased_since(connection, account_id, newest_ts)),
        erasing=erasing,
        dropped_before=dropped_before,
    )
