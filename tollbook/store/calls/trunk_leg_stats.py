"""Sums of trunk legs by gateway, over the calls that PostgreSQL keeps: of each leg its own figures, not its call's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, LiteralString, cast

from tollbook.model.call_sums import GroupKey, Periods
from tollbook.model.selection import Selection
from tollbook.store.calls.grouping import group_calls
from tollbook.store.calls.sum_errors import sum_errors
from tollbook.store.database import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class TrunkLegSums:
    """The sums of some trunk legs, each with figures of its own. The averages are over `pdd_legs` and `mos_legs`."""

    legs: int
    answered: int
    pdd_ms: int
    pdd_legs: int
    mos: float
    mos_legs: int


# A call that went over two trunks counts with each of them, and with the figures of each.
_TRUNK_QUERY: Final[LiteralString] = """
    WITH part AS MATERIALIZED (
        SELECT {values} count(*) AS legs,
               count(*) FILTER (WHERE leg ->> 1 = '1') AS answered,
               coalesce(sum((leg ->> 2)::bigint), 0)::bigint AS pdd_ms, count(leg ->> 2) AS pdd_legs,
               coalesce(sum((leg ->> 3)::double precision), 0) AS mos, count(leg ->> 3) AS mos_legs
        FROM call_cdr CROSS JOIN LATERAL jsonb_array_elements(trunk_legs) AS trunk (leg)
        WHERE {conditions}
        GROUP BY {grouping}
    )
    SELECT {grouping}, legs, answered, pdd_ms, pdd_legs, mos, mos_legs
    FROM part ORDER BY {order} LIMIT %(limit)s + 1
"""


def sum_trunk_legs(
    connection: Connection,
    selection: Selection,
    groups: Sequence[str | Periods],
    *,
    limit: int,
    prefix_digits: int = 4,
) -> tuple[list[tuple[GroupKey, TrunkLegSums]], bool]:
    """Add up the trunk legs of the calls of a selection, by at most `limit` groups; otherwise as `sum_calls`.

    `groups`: one or two, GATEWAY among them. Returns the groups by time, then by number of legs, most first, and
    whether there are more. Raises as `sum_calls`.
    """
    asked = group_calls(selection, groups, limit, prefix_digits)
    grouping = asked.names.removesuffix(", ")
    query = _TRUNK_QUERY.format(
        values=asked.values,
        grouping=grouping,
        conditions=asked.conditions,
        order=f"{asked.times} legs DESC, {grouping}",
    )
    return read_trunk_legs(connection, query, asked.parameters, len(groups), limit)


def read_trunk_legs(
    connection: Connection, query: LiteralString, parameters: dict[str, object], width: int, limit: int
) -> tuple[list[tuple[GroupKey, TrunkLegSums]], bool]:
    """Return what a statement finds: rows of `width` values of the group, then its figures; one more than `limit`."""
    with sum_errors():
        rows = connection.execute(query, parameters).fetchall()
    found = [(cast("GroupKey", row[:width]), _trunk_leg_sums(row[width:])) for row in rows]
    return found[:limit], len(found) > limit


def _trunk_leg_sums(row: tuple[object, ...]) -> TrunkLegSums:
    legs, answered, pdd_ms, pdd_legs, mos, mos_legs = cast("tuple[int, int, int, int, float, int]", row)
    return TrunkLegSums(legs=legs, answered=answered, pdd_ms=pdd_ms, pdd_legs=pdd_legs, mos=mos, mos_legs=mos_legs)
