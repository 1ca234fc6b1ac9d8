"""SQL conditions for accounts and filters, shared by pages, changes and sums."""

from typing import LiteralString, TypeAlias

from tollbook.model.accounts import Accounts, OneAccount
from tollbook.model.call_key import CallKey
from tollbook.model.filters import AtLeast, BeginsWith, Condition, Equals, Filters, prefix_end

Parameters: TypeAlias = dict[str, str | int | None]


def matching(accounts: Accounts, filters: Filters) -> tuple[list[LiteralString], Parameters]:
    """Return the conditions that a row of `call_cdr` must all meet, and their parameters, named after their columns."""
    parameters: Parameters = {}
    conditions: list[LiteralString] = [_sql(condition, parameters) for condition in filters.conditions()]
    if isinstance(accounts, OneAccount):
        conditions.append("call_cdr.account_id = %(account_id)s")
        parameters["account_id"] = accounts.account_id
    return conditions, parameters


def after_parameters(key: CallKey) -> Parameters:
    """Return the parameters of the key after which a page begins."""
    return {"after_start_ts": key.start_ts, "after_call_id": key.call_id, "after_switch": key.switch}


def _sql(condition: Condition, parameters: Parameters) -> LiteralString:
    match condition:
        case Equals(column, value):
            parameters[column] = value
            return f"{column} = %({column})s"
        case AtLeast(column, value):
            parameters[column] = value
            return f"{column} >= %({column})s"
        case BeginsWith(columns, prefix):
            return f"({' OR '.join([_begins(column, prefix, parameters) for column in columns])})"


def _begins(column: LiteralString, prefix: str, parameters: Parameters) -> LiteralString:
    # A range, not LIKE: row-level security must check a row before LIKE sees it, which keeps LIKE from using an index.
    end = prefix_end(prefix)
    parameters[f"{column}_first"] = prefix
    if end is None:
        return f'{column} COLLATE "C" >= %({column}_first)s'
    parameters[f"{column}_end"] = end
    return f'{column} COLLATE "C" >= %({column}_first)s AND {column} COLLATE "C" < %({column}_end)s'
