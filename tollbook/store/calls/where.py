"""SQL conditions for accounts and filters, shared by pages, changes and sums."""

from typing import LiteralString, TypeAlias

from tollbook.model.accounts import Accounts, OneAccount
from tollbook.model.call_key import CallKey
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
    prefix_end,
)

Parameters: TypeAlias = dict[str, str | int | bool | list[str] | None]


def matching(accounts: Accounts, filters: Filters) -> tuple[list[LiteralString], Parameters]:
    """Return the conditions that a row of `call_cdr` must all meet, and their parameters, named after their columns."""
    parameters: Parameters = {}
    conditions: list[LiteralString] = [_sql(condition, parameters) for condition in conditions_of(accounts, filters)]
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
        case IsNotTrue(column):
            return f"{column} IS NOT TRUE"
        case HasVariable(name, value):
            parameters |= {"variable": name, "variable_value": value}
            return "vars ->> %(variable)s = %(variable_value)s"
        case IsNull(column, wanted):
            return f"{column} IS NULL" if wanted else f"{column} IS NOT NULL"
        case HasNumber(columns, prefix, spellings):
            # Two filters may look in the same column.
            names: LiteralString = "_or_".join(columns)
            parameters |= {f"{names}_first": prefix, f"{names}_end": prefix_end(prefix)}
            parameters |= {f"{names}_spelled": list(spellings)} if spellings else {}
            return f"({' OR '.join([_has_number(column, names, condition) for column in columns])})"


def _has_number(column: LiteralString, names: LiteralString, condition: HasNumber) -> LiteralString:
    # A range, not LIKE: row-level security must check a row before LIKE sees it, which keeps LIKE from using an index.
    begins: LiteralString = f'{column} COLLATE "C" >= %({names}_first)s'
    if prefix_end(condition.prefix) is not None:
        begins = f'({begins} AND {column} COLLATE "C" < %({names}_end)s)'
    if not condition.spellings:
        return begins
    return f'{begins} OR {column} COLLATE "C" = ANY (%({names}_spelled)s)'
