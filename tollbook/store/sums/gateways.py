"""Answers questions about gateways from their cube, what waits to be rolled up, and the rows at the ends of the time.

The archive has no trunk legs: of calls that left PostgreSQL the cube alone knows the gateways. It has all accounts'
together, and so it is for operators.
"""

from collections.abc import Sequence
from typing import Final, LiteralString, cast

from tollbook.model.accounts import EveryAccount
from tollbook.model.call_sums import GroupKey, Periods
from tollbook.model.selection import Selection
from tollbook.store.calls.grouping import GATEWAY, Grouping, group_calls
from tollbook.store.calls.trunk_leg_stats import TrunkLegSums, read_trunk_legs
from tollbook.store.calls.where import matching
from tollbook.store.database import Connection, scalar, store_errors
from tollbook.store.sums.built_span import built_span
from tollbook.store.sums.cubes import GATEWAYS
from tollbook.store.sums.pieces import WAITING, row_ends, sum_cells
from tollbook.store.sums.question import Span, Unanswered

_OF_GATEWAYS: Final = frozenset({"direction", "disposition"})

_FIGURES: Final[LiteralString] = ", ".join(GATEWAYS.measures)
_QUERY: Final[LiteralString] = """
    SELECT {grouping}, sum(legs)::bigint AS legs, sum(answered)::bigint, sum(pdd_ms)::bigint, sum(pdd_legs)::bigint,
           (sum(mos_micros) / 1000000.0)::double precision, sum(mos_legs)::bigint
    FROM ({cells} UNION ALL {others}) AS piece
    GROUP BY {grouping} HAVING sum(legs) <> 0 ORDER BY {order} LIMIT %(limit)s + 1
"""


def sum_gateways(
    connection: Connection, selection: Selection, groups: Sequence[str | Periods], *, limit: int
) -> tuple[list[tuple[GroupKey, TrunkLegSums]], bool] | Unanswered:
    """Return what `sum_trunk_legs` returns, for calls of any age, or why the cube does not answer.

    Call as `sum_cubes`. Raises StoreUnavailable.
    """
    grouped = {group for group in groups if isinstance(group, str)} - {GATEWAY}
    # A filter by gateway chooses calls, whose legs at other gateways count, too: that, the cube does not know.
    asked = grouped | set(selection.filters.names())
    starts = [start for group in groups if isinstance(group, Periods) for start in group.starts]
    even = all(start % GATEWAYS.unit_ms == 0 for start in starts)
    if not isinstance(selection.accounts, EveryAccount) or not asked <= _OF_GATEWAYS or not even:
        return "question"
    span = built_span(connection, selection, GATEWAYS)
    if isinstance(span, str):
        return span
    if span.first < _kept_since(connection):
        return "unbuilt"
    parts = group_calls(selection, groups, limit, 1)
    parts.parameters.update({"cubes_from": span.first, "cubes_until": span.end})
    grouping = parts.names.removesuffix(", ")
    query = _QUERY.format(
        grouping=grouping,
        cells=sum_cells(GATEWAYS, selection, groups, {name: f"sum({name})" for name in GATEWAYS.measures}),
        others=_waiting_and_rows(parts, selection, span),
        order=f"{parts.times} legs DESC, {grouping}",
    )
    return read_trunk_legs(connection, query, parts.parameters, len(groups), limit)


def _kept_since(connection: Connection) -> int:
    with store_errors():
        return cast("int", scalar(connection, "SELECT gateways_since FROM sum_state"))


_COLUMNS: Final[LiteralString] = "start_ts, account_id, direction, disposition, trunk_legs"
_SUMS: Final[LiteralString] = ", ".join(GATEWAYS.measures.values())


def _waiting_and_rows(parts: Grouping, selection: Selection, span: Span) -> LiteralString:
    """Return the statement that adds up what the cube has not; its parameters go to those of `parts`."""
    waiting: LiteralString = f"SELECT sign, {_COLUMNS} FROM sum_delta WHERE {WAITING}"  # noqa: S608 - literals alone
    rows: list[LiteralString] = [f"{waiting} AND trunk_legs IS NOT NULL"]
    for sign, within in row_ends(parts, span):
        rows.append(f"SELECT {sign}, {_COLUMNS} FROM call_cdr WHERE {within}")  # noqa: S608 - literals alone
    matched, _ = matching(selection.accounts, selection.filters)
    places: LiteralString = parts.names.removesuffix(", ")
    return f"""
        SELECT {parts.values} {_SUMS}
        FROM ({" UNION ALL ".join(rows)}) AS call_cdr CROSS JOIN LATERAL jsonb_array_elements(trunk_legs) AS trunk (leg)
        WHERE {" AND ".join(["true", *matched])} GROUP BY {places}
    """  # noqa: S608 - literals alone
