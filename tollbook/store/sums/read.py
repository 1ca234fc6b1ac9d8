"""Answers grouped questions from the cubes, what waits to be rolled up, and the calls that are up, in one snapshot."""

from collections.abc import Sequence
from typing import Final, LiteralString

from tollbook.model.accounts import OneAccount
from tollbook.model.call_sums import Periods
from tollbook.model.queue_sums import MEASURES, QueueMeasure
from tollbook.model.selection import Selection
from tollbook.store.calls.grouping import group_calls
from tollbook.store.calls.stats import GroupedSums, read_ranked
from tollbook.store.database import Connection, store_errors
from tollbook.store.sums.built_span import built_span
from tollbook.store.sums.codes import LONGEST_NAME, NAMED
from tollbook.store.sums.pieces import FIGURES, cells, waiting_and_rows
from tollbook.store.sums.question import Unanswered, sources_of


def sum_cubes(
    connection: Connection,
    selection: Selection,
    groups: Sequence[str | Periods],
    *,
    limit: int,
    within_ms: int | None = None,
) -> GroupedSums | Unanswered:
    """Return what `sum_calls` returns, for calls of any age, or why the cubes do not answer: whole, or not at all.

    Call in `row_security.reading` or another transaction with one snapshot. Raises StoreUnavailable.
    """
    of_queues = within_ms is not None
    sources = sources_of(selection, groups, of_queues=of_queues)
    if not sources or not _has_all_names(connection, selection, groups):
        return "question"
    span = built_span(connection, selection, sources[0].cube)
    if isinstance(span, str):
        return span
    asked = group_calls(selection, groups, limit, 1)
    asked.parameters.update({"cubes_from": span.first, "cubes_until": span.end})
    pieces: list[LiteralString] = [cells(source, selection, groups, of_queues=of_queues) for source in sources]
    pieces.append(waiting_and_rows(asked, selection, span, of_queues=of_queues))
    part = (_QUEUE_PART if of_queues else _PART).format(names=asked.names, pieces=" UNION ALL ".join(pieces))
    return read_ranked(connection, part, asked, groups, limit=limit, within_ms=within_ms)


# A price of nothing is none where no call has one, as the sum over rows is.
_SUMS: Final[LiteralString] = """
    sum(calls) AS calls, sum(up) AS up, sum(answered) AS answered,
    sum(billsec) AS billsec, sum(unrated) AS unrated,
    CASE WHEN sum(calls - up - unrated) > 0 THEN sum(cost) END AS cost,
    sum(waited) AS wait_ms, sum(wait_calls) AS wait_calls,
    sum(ring_ms) AS ring_ms, sum(ring_calls) AS ring_calls
"""
_PART: Final[LiteralString] = f"""
    SELECT {{names}} currency, {_SUMS} FROM ({{pieces}}) AS piece
    GROUP BY {{names}} currency HAVING sum(calls) <> 0
"""  # noqa: S608 - literals alone


def _of_alike(measure: QueueMeasure) -> LiteralString:
    """Return a measure of calls that are `calls` alike; it asks of talk_ms only whether there is one."""
    made, condition, column = measure
    condition = condition.format(within_ms="%(within_ms)s")
    value: LiteralString = f"CASE WHEN {column} IS NOT NULL THEN calls END"
    if made == "max":
        return f"coalesce(max(CASE WHEN {condition} THEN {column} END), 0)"
    if made == "sum":
        value = "talked" if column == "talk_ms" else f"calls * {column}"
    return f"coalesce(sum(CASE WHEN {condition} THEN {value} END), 0)"


_QUEUE_FIGURES: Final[LiteralString] = ", ".join([f"{_of_alike(made)} AS {name}" for name, made in MEASURES.items()])
_ADDED: Final[LiteralString] = ", ".join([f"sum({name}) AS {name}" for name in FIGURES])
# What is taken away is first added to what it is taken from: the longest wait is one of a call that is left.
_QUEUE_PART: Final[LiteralString] = f"""
    SELECT {{names}} currency, {_SUMS}, {_QUEUE_FIGURES}
    FROM (
        SELECT {{names}} currency, queue_id, agent_id, disposition, wait_ms, talk_ms, {_ADDED}
        FROM ({{pieces}}) AS piece
        GROUP BY {{names}} currency, queue_id, agent_id, disposition, wait_ms, talk_ms HAVING sum(calls) <> 0
    ) AS alike GROUP BY {{names}} currency
"""  # noqa: S608 - literals alone


def _has_all_names(connection: Connection, selection: Selection, groups: Sequence[str | Periods]) -> bool:
    """Return whether each name that is asked for is counted by itself: no account has had others of its kind."""
    account_id = selection.accounts.account_id if isinstance(selection.accounts, OneAccount) else None
    kinds: list[str] = []
    too_long: LiteralString = "false"
    for column, kind in NAMED.items():
        if any(group == column for group in groups) or getattr(selection.filters, column) is not None:
            kinds.append(kind)
            too_long += f" OR length({column}) > {LONGEST_NAME}"
    if not kinds:
        return True
    waiting: LiteralString = f"SELECT FROM sum_delta WHERE ({too_long}) AND {_OF_ACCOUNT}"
    query: LiteralString = f"SELECT EXISTS ({_OTHERS}) OR EXISTS ({waiting})"
    with store_errors():
        return connection.execute(query, {"kinds": kinds, "account": account_id}).fetchone() != (True,)


_OF_ACCOUNT: Final[LiteralString] = "(%(account)s::text IS NULL OR account_id = %(account)s)"
_OTHERS: Final[LiteralString] = f"""
    SELECT FROM sum_other LEFT JOIN sum_account USING (account_no) WHERE kind = ANY (%(kinds)s) AND {_OF_ACCOUNT}
"""
