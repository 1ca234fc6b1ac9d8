"""Sums of calls: counts, times and costs by group, in one statement, over the calls that PostgreSQL keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, LiteralString, TypeAlias, cast

from tollbook.model.selection import Selection
from tollbook.store.calls.where import matching
from tollbook.store.database import Connection, store_errors

# The values of a group in the order of the grouping: a column's value, or the number of a period.
GroupKey: TypeAlias = tuple[str | int | None, ...]
_SumsRow: TypeAlias = tuple[str | None, int, int, int, int, int, int | None]

# What calls can be grouped by, apart from periods of time.
GROUP_COLUMNS: Final[dict[str, LiteralString]] = {
    "account_id": "call_cdr.account_id",
    "direction": "direction",
    "disposition": "disposition",
    "hangup_cause": "hangup_cause",
    "queue_id": "queue_id",
    "agent_id": "agent_id",
    "prefix": "left(ltrim(to_num, '+'), %(prefix_digits)s)",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Periods:
    """Group by periods of time: each start in epoch ms, ascending. A group's value is its period's index (from 0)."""

    starts: Sequence[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class CallSums:
    """The sums of some calls. `open` calls are still up: they count in `calls` and in nothing else.

    `cost`: for each currency, the cost of its calls in micros; None stands for prices from before currencies were kept.
    """

    calls: int = 0
    open: int = 0
    answered: int = 0
    billsec: int = 0
    unrated: int = 0
    cost: tuple[tuple[str | None, int], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupedSums:
    """The sums of a selection and of its groups, ordered by time, then by number of calls, most first.

    `more`: there are more groups than these.
    """

    total: CallSums
    groups: Sequence[tuple[GroupKey, CallSums]]
    more: bool


# `place` numbers the groups in order; 0 is the total. A group has one row for each currency of its calls.
_SUMS: Final[LiteralString] = """sum(calls)::bigint, sum(up)::bigint, sum(answered)::bigint, sum(billsec)::bigint,
        sum(unrated)::bigint, sum(cost)::bigint"""
_QUERY: Final[LiteralString] = """
    WITH part AS MATERIALIZED (
        SELECT {values} currency,
               count(*) AS calls,
               count(*) FILTER (WHERE end_ts IS NULL) AS up,
               count(*) FILTER (WHERE end_ts IS NOT NULL AND answered = 1) AS answered,
               coalesce(sum(billsec), 0)::bigint AS billsec,
               count(unrated) AS unrated,
               sum(cost_micros)::bigint AS cost
        FROM call_cdr
        WHERE {conditions}
        GROUP BY {names} currency
    ), ranked AS (
        SELECT *, dense_rank() OVER (ORDER BY {order}) AS place
        FROM (SELECT *, sum(calls) OVER (PARTITION BY {partition}) AS weight FROM part) AS weighed
    )
    SELECT 0 AS place, {nothing} currency, {sums} FROM part GROUP BY currency
    UNION ALL
    SELECT place, {names} currency, calls, up, answered, billsec, unrated, cost
    FROM ranked WHERE place <= %(limit)s + 1 AND {grouped}
    ORDER BY place, currency
"""
# The names of the groups in the statement, and of the parameters that hold their periods.
_GROUPS: Final[tuple[tuple[LiteralString, LiteralString], ...]] = (
    ("first", "first_starts"),
    ("second", "second_starts"),
)


def sum_calls(
    connection: Connection,
    selection: Selection,
    groups: Sequence[str | Periods],
    *,
    limit: int,
    prefix_digits: int = 4,
) -> GroupedSums:
    """Add up the calls of a selection, and of at most `limit` of its groups; its `after` and `order` are ignored.

    `groups`: up to two, each a name in GROUP_COLUMNS, or periods that together cover the whole selection. Raises
    StoreUnavailable.
    """
    matched, named = matching(selection.accounts, selection.filters)
    conditions: list[LiteralString] = ["start_ts >= %(since)s", "start_ts < %(until)s", *matched]
    parameters: dict[str, object] = {"since": selection.since, "until": selection.until, **named}
    parameters |= {"limit": limit, "prefix_digits": prefix_digits}
    values: LiteralString = ""
    names: LiteralString = ""
    nothing: LiteralString = ""
    times: LiteralString = ""
    for group, (name, starts) in zip(groups, _GROUPS, strict=False):
        if isinstance(group, Periods):
            # Bisection in the list of starts keeps time zones out of this statement.
            values += f"width_bucket(start_ts, %({starts})s::bigint[]) - 1 AS {name}, "
            nothing += "NULL::integer, "
            times += f"{name}, "
            parameters[starts] = list(group.starts)
        else:
            values += f"{GROUP_COLUMNS[group]} AS {name}, "
            nothing += "NULL, "
        names += f"{name}, "
    query = _QUERY.format(
        values=values,
        names=names,
        nothing=nothing,
        conditions=" AND ".join(conditions),
        order=f"{times} weight DESC, {names} 1",
        partition=f"{names} 1",
        sums=_SUMS,
        grouped="true" if groups else "false",
    )
    with store_errors():
        return _grouped(connection.execute(query, parameters).fetchall(), len(groups), limit)


def _grouped(rows: Sequence[tuple[object, ...]], width: int, limit: int) -> GroupedSums:
    total = CallSums()
    groups: dict[GroupKey, CallSums] = {}
    more = False
    for place, *rest in rows:
        key = cast("GroupKey", tuple(rest[:width]))
        if place == 0:
            total = _plus(total, rest[width:])
        elif cast("int", place) > limit:
            more = True
        else:
            groups[key] = _plus(groups.get(key, CallSums()), rest[width:])
    return GroupedSums(total=total, groups=list(groups.items()), more=more)


def _plus(sums: CallSums, row: Sequence[object]) -> CallSums:
    """Add the row of one more currency. A cost of 0 without a currency is left out: nobody answered those calls."""
    currency, calls, up, answered, billsec, unrated, cost = cast("_SumsRow", tuple(row))
    priced = () if cost is None or (currency is None and cost == 0) else ((currency, cost),)
    return CallSums(
        calls=sums.calls + calls,
        open=sums.open + up,
        answered=sums.answered + answered,
        billsec=sums.billsec + billsec,
        unrated=sums.unrated + unrated,
        cost=(*sums.cost, *priced),
    )
