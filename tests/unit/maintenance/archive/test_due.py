"""When an account's waiting rows are archived."""

import pytest

from maintenance.archive.due import COMPANY_AGE_S, FLUSH_AGE_S, FLUSH_ROWS, due
from tollbook.store.outbox import AccountWaiting

HOUR = 3600.0


def waiting(account: str | None, rows: int, oldest_s: float) -> AccountWaiting:
    return AccountWaiting(account_id=account, rows=rows, oldest_s=oldest_s)


@pytest.mark.parametrize(
    ("accounts", "flushed"),
    [
        ([], []),
        ([waiting("a", FLUSH_ROWS, HOUR)], ["a"]),
        ([waiting("a", FLUSH_ROWS - 1, HOUR)], []),
        ([waiting("a", 1, FLUSH_AGE_S)], ["a"]),
        ([waiting("a", 1, FLUSH_AGE_S - 1)], []),
        # An account due by its age takes along those that soon will be; one due by its rows does not.
        (
            [waiting("a", 1, FLUSH_AGE_S), waiting(None, 1, COMPANY_AGE_S), waiting("c", 1, COMPANY_AGE_S - 1)],
            ["a", None],
        ),
        ([waiting("a", FLUSH_ROWS, HOUR), waiting("b", 1, COMPANY_AGE_S)], ["a"]),
    ],
)
def test_accounts_that_are_due(accounts: list[AccountWaiting], flushed: list[str | None]) -> None:
    assert [account.account_id for account in due(accounts)] == flushed
