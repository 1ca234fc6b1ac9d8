"""What calls add up to: counted, timed and priced by group, in one statement, from the calls of the last weeks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, LiteralString, TypeAlias, cast

from tollbook.model.selection import Selection
from tollbook.store.calls.where import matching
from tollbook.store.database import Connection, store_errors

Key: TypeAlias = tuple[str | int | None, ...]
_Row: TypeAlias = tuple[str | None, int, int, int, int, int, int | None]

# What calls can be grouped by, apart from spans of time.
COLUMNS: Final[dict[str, LiteralString]] = {
    "account_id": "call_cdr.account_id",
    "direction": "direction",
    "disposition": "disposition",
    "hangup_cause": "hangup_cause",
    "queue_id": "queue_id",
    "agent_id": "agent_id",
    "prefix": "left(ltrim(to_num, '+'), %(prefix_digits)s)",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Spans:
    """Group by spans of time: when each begins, epoch ms, ascending. Its value is its number, the first 0."""

    starts: Sequence[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sums:
    """What some calls add up to. `open` ones are up: they are in `calls`, and in nothing else.

    `cost`: for each currency the micros of the calls priced in it; None stands for prices from before it was kept.
    """

    calls: int = 0
    open: int = 0
    answered: int = 0
    billsec: int = 0
    unrated: int = 0
    cost: tuple[tuple[str | None, int], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """The sums of all that was asked for, and of its groups: by time, then those of most calls first."""

    total: Sums
    groups: Sequence[tuple[Key, Sums]]
    more: bool


# `place` numbers the groups in their order; 0 is the total. A group has a row for each currency that it has calls in.
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


def count(
    connection: Connection,
    selection: Selection,
    groups: Sequence[str | Spans],
    *,
    limit: int,
    prefix_digits: int = 4,
) -> Counted:
    """Add up the calls of a selection (its `after` and `order` say nothing here), and of at most `limit` groups of it.

    `groups`: names of `COLUMNS`, or spans of time that together hold the whole selection. Raises StoreUnavailable.
    """
    matched, named = matching(selection.accounts, selection.filters)
    conditions: list[LiteralString] = ["start_ts >= %(since)s", "start_ts < %(until)s", *matched]
    parameters: dict[str, object] = {"since": selection.since, "until": selection.until, **named}
    parameters |= {"limit": limit, "prefix_digits": prefix_digits}
    values: LiteralString = ""
    names: LiteralString = ""
    nothing: LiteralString = ""
    times: LiteralString = ""
    for group, (name, spans) in zip(groups, _PLACES, strict=False):
        if isinstance(group, Spans):
            # Found among the spans by halving: what time zone they are of is nobody's business here.
            values += f"width_bucket(start_ts, %({spans})s::bigint[]) - 1 AS {name}, "
            nothing += "NULL::integer, "
            times += f"{name}, "
            parameters[spans] = list(group.starts)
        else:
            values += f"{COLUMNS[group]} AS {name}, "
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
        return _counted(connection.execute(query, parameters).fetchall(), len(groups), limit)


# The names that the groups go by in the statement, and those of the parameters that hold their spans.
_PLACES: Final[tuple[tuple[LiteralString, LiteralString], ...]] = (("first", "first_spans"), ("second", "second_spans"))


def _counted(rows: Sequence[tuple[object, ...]], width: int, limit: int) -> Counted:
    total = Sums()
    groups: dict[Key, Sums] = {}
    more = False
    for place, *rest in rows:
        key = cast("Key", tuple(rest[:width]))
        if place == 0:
            total = _with(total, rest[width:])
        elif cast("int", place) > limit:
            more = True
        else:
            groups[key] = _with(groups.get(key, Sums()), rest[width:])
    return Counted(total=total, groups=list(groups.items()), more=more)


def _with(sums: Sums, row: Sequence[object]) -> Sums:
    """Add the row of one more currency. What cost nothing, in no currency, is no money: nobody answered."""
    currency, calls, up, answered, billsec, unrated, cost = cast("_Row", tuple(row))
    priced = () if cost is None or (currency is None and cost == 0) else ((currency, cost),)
    return Sums(
        calls=sums.calls + calls,
        open=sums.open + up,
        answered=sums.answered + answered,
        billsec=sums.billsec + billsec,
        unrated=sums.unrated + unrated,
        cost=(*sums.cost, *priced),
    )
