"""pyiceberg's row filters for accounts, times and filters: conditions that all readers of the archive share."""

import json
from collections.abc import Collection
from functools import reduce
from typing import Any

from tollbook.archive._pyarrow import expressions as ex
from tollbook.archive._pyarrow import pc
from tollbook.archive.schema import archived_account
from tollbook.model.accounts import Accounts, OneAccount
from tollbook.model.filters import (
    AtLeast,
    Condition,
    Equals,
    Filters,
    HasNumber,
    HasVariable,
    IsNotTrue,
    IsNull,
    conditions_of,
)


def started(first_us: int, end_us: int) -> Any:
    """Match calls that started in [first_us, end_us), epoch µs."""
    return ex.And(ex.GreaterThanOrEqual("start_ts", first_us), ex.LessThan("start_ts", end_us))


def of_accounts(account_ids: Collection[str | None]) -> Any:
    """Match calls of these accounts; None stands for calls without an account."""
    return ex.In("account_id", {archived_account(account_id) for account_id in account_ids})


def matching(accounts: Accounts, filters: Filters) -> Any:
    """Match calls of these accounts that meet all filters, but for the values of variables (`with_variables`)."""
    conditions = [_expression(condition) for condition in conditions_of(accounts, filters)]
    if isinstance(accounts, OneAccount):
        conditions.append(of_accounts([accounts.account_id]))
    return reduce(ex.And, conditions, ex.AlwaysTrue())


def _expression(condition: Condition) -> Any:
    match condition:
        case Equals(column, value):
            return ex.EqualTo(column, value)
        case AtLeast(column, value):
            return ex.GreaterThanOrEqual(column, value)
        case IsNotTrue(column):
            return ex.Or(ex.IsNull(column), ex.EqualTo(column, False))
        case HasVariable():
            return ex.NotNull("vars")
        case IsNull(column, wanted):
            return ex.IsNull(column) if wanted else ex.NotNull(column)
        case HasNumber(columns, prefix, spellings):
            begin = [ex.StartsWith(column, prefix) for column in columns]
            return reduce(ex.Or, begin + [ex.In(column, set(spellings)) for column in columns if spellings])


def with_variables(rows: Any, filters: Filters) -> Any:
    """Keep the rows of an Arrow table that have the variables that filters require: a row filter finds none in JSON."""
    for condition in filters.conditions():
        if isinstance(condition, HasVariable):
            rows = rows.filter(pc.match_substring(rows["vars"], text_of_variable(condition)))
    return rows


def text_of_variable(condition: HasVariable) -> str:
    """Return the text that `vars` contains if, and only if, the call has this variable with this value.

    `vars` is the JSON text of an object of texts as PostgreSQL writes it. There a quote that is no escaped one begins
    or ends a text, a name needs no escape, and only a name is followed by a colon: so this text stands nowhere else.
    """
    return f'"{condition.name}": {json.dumps(condition.value, ensure_ascii=False)}'
