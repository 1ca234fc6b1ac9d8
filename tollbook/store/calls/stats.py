"""Sums of calls: counts, times and costs by group, in one statement, over the calls that PostgreSQL keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, LiteralString, TypeAlias, cast

from tollbook.model.call_sums import CallSums, GroupKey, Periods, cost_of
from tollbook.model.queue_sums import MEASURES as QUEUE_MEASURES
from tollbook.model.queue_sums import NO_QUEUE_SUMS, QueueSums
from tollbook.model.selection import Selection
from tollbook.store.calls.grouping import Grouping, group_calls
from tollbook.store.calls.sum_errors import sum_errors
from tollbook.store.database import Connection

_SumsRow: TypeAlias = tuple[str | None, int, int, int, int, int, int | None, int, int, int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupedSums:
    """The sums of a selection and of its groups, ordered by time, then by number of calls, most first.

    `more`: there are more groups than these.
    """

    total: CallSums
    groups: Sequence[tuple[GroupKey, CallSums]]
    more: bool


# What is added up of the calls of one group and currency, in the order in which `_sums_of` reads it.
_MEASURES: Final[dict[LiteralString, LiteralString]] = {
    "calls": "count(*)",
    "up": "count(*) FILTER (WHERE end_ts IS NULL)",
    "answered": "count(*) FILTER (WHERE end_ts IS NOT NULL AND answered = 1)",
    "billsec": "coalesce(sum(billsec), 0)",
    "unrated": "count(unrated)",
    "cost": "sum(cost_micros)",
    "wait_ms": "coalesce(sum(wait_ms), 0)",
    "wait_calls": "count(wait_ms)",
    "ring_ms": "coalesce(sum(ring_ms), 0)",
    "ring_calls": "count(ring_ms)",
}
_WIDTH: Final = 1 + len(_MEASURES)  # the currency comes first
# What questions about queues add to that.
_QUEUE_MEASURES: Final[dict[LiteralString, LiteralString]] = {
    name: f"coalesce({made}(CASE WHEN {condition.format(within_ms='%(within_ms)s')} THEN {column} END), 0)"
    for name, (made, condition, column) in QUEUE_MEASURES.items()
}
# `place` numbers the groups in order; 0 is the total. A group has one row for each currency of its calls.
_PART: Final[LiteralString] = """
    SELECT {values} currency, {measures} FROM call_cdr WHERE {conditions} GROUP BY {names} currency
"""
_RANKED: Final[LiteralString] = """
    WITH part AS MATERIALIZED ({part}), ranked AS (
        SELECT *, dense_rank() OVER (ORDER BY {order}) AS place
        FROM (SELECT *, sum(calls) OVER (PARTITION BY {partition}) AS weight FROM part) AS weighed
    )
    SELECT 0 AS place, {nothing} currency, {sums} FROM part GROUP BY currency
    UNION ALL
    SELECT place, {names} currency, {measured} FROM ranked WHERE place <= %(limit)s + 1 AND {grouped}
    ORDER BY place, currency
"""


def sum_calls(
    connection: Connection,
    selection: Selection,
    groups: Sequence[str | Periods],
    *,
    limit: int,
    prefix_digits: int = 4,
    within_ms: int | None = None,
) -> GroupedSums:
    """Add up the calls of a selection, and of at most `limit` of its groups; its `after` and `order` are ignored.

    `groups`: up to two, each a name in GROUP_COLUMNS, or periods that together cover the whole selection. `within_ms`:
    the service level of a question about queues; without it, their figures are left out. Raises StoreUnavailable,
    and QuestionTooLarge when it takes too long.
    """
    asked = group_calls(selection, groups, limit, prefix_digits)
    measures = _MEASURES if within_ms is None else _MEASURES | _QUEUE_MEASURES
    made: list[LiteralString] = [f"{measure} AS {name}" for name, measure in measures.items()]
    part = _PART.format(values=asked.values, measures=", ".join(made), conditions=asked.conditions, names=asked.names)
    return read_ranked(connection, part, asked, groups, limit=limit, within_ms=within_ms)


def read_ranked(
    connection: Connection,
    part: LiteralString,
    asked: Grouping,
    groups: Sequence[str | Periods],
    *,
    limit: int,
    within_ms: int | None,
) -> GroupedSums:
    """Return the sums of `part`, a statement with a row for each group and currency, its measures by their names.

    Raises as `sum_calls`.
    """
    measures = _MEASURES if within_ms is None else _MEASURES | _QUEUE_MEASURES
    sums: list[LiteralString] = [f"max({name})" if name == "longest_wait_ms" else f"sum({name})" for name in measures]
    query = _RANKED.format(
        part=part,
        names=asked.names,
        nothing=asked.nothing,
        order=f"{asked.times} weight DESC, {asked.names} 1",
        partition=f"{asked.names} 1",
        sums=", ".join(sums),
        measured=", ".join(measures),
        grouped="true" if groups else "false",
    )
    with sum_errors():
        return _grouped(
            connection.execute(query, asked.parameters | {"within_ms": within_ms}).fetchall(), len(groups), limit
        )


def _grouped(rows: Sequence[tuple[object, ...]], width: int, limit: int) -> GroupedSums:
    total = CallSums()
    groups: dict[GroupKey, CallSums] = {}
    more = False
    for place, *rest in rows:
        key = cast("GroupKey", tuple(rest[:width]))
        if place == 0:
            total = total.plus(_sums_of(rest[width:]))
        elif cast("int", place) > limit:
            more = True
        else:
            sums, known = _sums_of(rest[width:]), groups.get(key)
            groups[key] = sums if known is None else known.plus(sums)
    return GroupedSums(total=total, groups=list(groups.items()), more=more)


def _sums_of(row: Sequence[object]) -> CallSums:
    """Return the sums of the calls of one currency; PostgreSQL's are numeric, which no price overflows."""
    values = [int(value) if isinstance(value, Decimal) else value for value in row]
    currency, calls, up, answered, billsec, unrated, cost, wait_ms, wait_calls, ring_ms, ring_calls = cast(
        "_SumsRow", tuple(values[:_WIDTH])
    )
    queue = NO_QUEUE_SUMS
    if of_queues := values[_WIDTH:]:
        queue = QueueSums(**dict(zip(_QUEUE_MEASURES, cast("Sequence[int]", of_queues), strict=True)))
    return CallSums(
        calls=calls,
        open=up,
        answered=answered,
        billsec=billsec,
        unrated=unrated,
        cost=cost_of(currency, cost),
        wait_ms=wait_ms,
        wait_calls=wait_calls,
        ring_ms=ring_ms,
        ring_calls=ring_calls,
        queue=queue,
    )
