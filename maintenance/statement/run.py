"""Issue the statements of a month for every account: one that fails leaves the others."""

from collections.abc import Callable
from dataclasses import dataclass, field

from maintenance.progress import Progress, no_progress
from tollbook.config import Settings
from tollbook.errors import TollbookError
from tollbook.statements.issue import issuing
from tollbook.statements.statement import Issued
from tollbook.store.database import check_schema, connect
from tollbook.store.tariffs import tariffs


@dataclass(kw_only=True)
class AllReport:
    """What came of a month: how many statements are issued, how many accounts had no calls, and who failed.

    `unbilled` says for which calls nobody is billed.
    """

    month: str
    issued: int = 0
    without_calls: int = 0
    unbilled: str = ""
    failed: list[tuple[str, TollbookError]] = field(default_factory=list[tuple[str, TollbookError]])

    def __str__(self) -> str:
        """Return it as a line, and one for each account that failed."""
        first = f"{self.month}: {self.issued} statements are issued, {self.without_calls} accounts had no calls"
        failed = [f"account {account} failed: {error}" for account, error in self.failed]
        lines = [f"{first}, {len(failed)} failed" if failed else first, *failed, self.unbilled]
        return "\n".join(filter(None, lines))


def issue_all(
    settings: Settings, month: str, keep: Callable[[Issued], None], *, progress: Progress = no_progress
) -> AllReport:
    """Issue a month for every account that has calls in it or had a statement before; `keep` takes each statement.

    A statement that was issued before is taken, too. Raises StoreUnavailable and SchemaError before the first account.
    """
    report = AllReport(month=month)
    with connect(settings.require_database_url(), name="statement", autocommit=True) as connection:
        check_schema(connection)
        accounts = [account.account_id for account in tariffs.accounts(connection)]
    with issuing(settings) as issuer:
        for done, account in enumerate(accounts):
            progress(done, len(accounts))
            try:
                issued = issuer.issue_if_any(account, month)
                if issued is None:
                    report.without_calls += 1
                    continue
                keep(issued)
                report.issued += 1
            except TollbookError as error:
                report.failed.append((account, error))
        report.unbilled = issuer.unbilled(month)
    return report
