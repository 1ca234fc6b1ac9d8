"""pyiceberg's row filters for accounts, times and filters: conditions that all readers of the archive share."""

from collections.abc import Collection
from functools import reduce
from typing import Any

from tollbook.archive._pyarrow import expressions as ex
from tollbook.archive.schema import archived_account
from tollbook.model.accounts import Accounts, OneAccount
from tollbook.model.filters import AtLeast, BeginsWith, Condition, Equals, Filters


def started(first_us: int, end_us: int) -> Any:
    """Match calls that started in [first_us, end_us), epoch µs."""
    return ex.And(ex.GreaterThanOrEqual("start_ts", first_us), ex.LessThan("start_ts", end_us))


def of_accounts(account_ids: Collection[str | None]) -> Any:
    """Match calls of these accounts; None stands for calls without an account."""
    return ex.In("account_id", {archived_account(account_id) for account_id in account_ids})


def matching(accounts: Accounts, filters: Filters) -> Any:
    """Match calls of these accounts that meet all filters."""
    conditions = [_expression(condition) for condition in filters.conditions()]
    if isinstance(accounts, OneAccount):
        conditions.append(of_accounts([accounts.account_id]))
    return reduce(ex.And, conditions, ex.AlwaysTrue())


def _expression(condition: Condition) -> Any:
    match condition:
        case Equals(column, value):
            return ex.EqualTo(column, value)
        case AtLeast(column, value):
            return ex.GreaterThanOrEqual(column, value)
        case BeginsWith(columns, prefix):
            return reduce(ex.Or, [ex.StartsWith(column, prefix) for column in columns])
