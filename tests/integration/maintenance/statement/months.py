"""Statements of months that are over, and the calls that they are computed from."""

from typing import Any

from maintenance.prune.run import prune_days
from tests import databases, factories
from tests.archiving import archive_now
from tollbook.config import Settings
from tollbook.statements.issue import Issuer
from tollbook.statements.statement import Line, Statement
from tollbook.store.database import Connection
from tollbook.times import instant

TODAY = 20_780  # 2026-11-23
AUGUST, SEPTEMBER, OCTOBER = "2026-08", "2026-09", "2026-10"
#: Where the calls of a test go, unless it says otherwise.
GERMANY = ("outbound", "Germany")
#: Calls, seconds and micros of a line, by direction and destination.
Lines = dict[tuple[str, str | None], tuple[int, int, int]]


def at(text: str) -> int:
    """Return a time, ISO 8601 in UTC, as epoch ms."""
    return instant(text)


class Book:
    """The book of the account acme."""

    def __init__(self, settings: Settings, database: Connection, issuer: Issuer) -> None:
        self.settings, self.database, self.issuer = settings, database, issuer

    def put(self, name: str, start: str, cost: int | None = 10_000, **changed: Any) -> None:
        """Store a call of acme that started at a time, to Germany; a call that is there is written again."""
        fields = {"account_id": "acme", "start_ts": at(start), "destination": "Germany"} | changed
        row, price = factories.call(name, cost_micros=cost, **fields)
        databases.store(self.database, (row, price), with_legs=True)

    def archive(self) -> None:
        """Archive all that waits."""
        archive_now(self.settings)

    def prune(self) -> int:
        """Archive all that waits, and drop the days that are older than 30 days; return how many."""
        self.archive()
        return prune_days(self.settings, today=TODAY).days

    def show(self, month: str, account_id: str = "acme") -> Statement:
        """Return the statement of a month, or its draft."""
        return self.issuer.show(account_id, month).statement

    def issue(self, month: str, account_id: str = "acme") -> Statement:
        """Issue a month."""
        return self.issuer.issue(account_id, month).statement


def lines_of(statement: Statement, kind: str = "calls", month: str | None = None) -> Lines:
    """Return the lines of a kind; of one month, if one is named."""
    found: dict[tuple[str, str | None], Line] = {
        (line.direction, line.destination): line
        for line in statement.lines
        if line.kind == kind and month in (None, line.month)
    }
    return {key: (line.calls, line.billsec, line.amount_micros) for key, line in found.items()}
