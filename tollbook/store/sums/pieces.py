"""The pieces of an answer, as statements: the cells of a cube, and what no cube has. They have the same columns.

A piece has a row for each group and currency, and, of a question about queues, for the calls that are alike in what the
figures of queues depend on (`tollbook.model.queue_sums`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, LiteralString

from tollbook.model.accounts import OneAccount
from tollbook.model.call_sums import Periods
from tollbook.model.selection import Selection
from tollbook.store.calls.columns import COUNTED
from tollbook.store.calls.grouping import GATEWAY, GROUP_NAMES, Grouping
from tollbook.store.calls.where import matching
from tollbook.store.sums.codes import CODED, NAMED, NO_NAME, OTHER, OTHER_NAME
from tollbook.store.sums.cubes import CALLS, QUEUES, Cube
from tollbook.store.sums.question import Source, Span

#: What a piece has beside its keys; `waited` and `talked` are sums of milliseconds.
FIGURES: Final[tuple[LiteralString, ...]] = (
    "calls", "up", "answered", "billsec", "unrated", "cost", "waited", "wait_calls", "ring_ms", "ring_calls", "talked",
)  # fmt: skip
_OF_CELL: Final[dict[LiteralString, LiteralString]] = {
    "calls": "calls", "up": "0", "answered": "answered", "billsec": "billsec", "unrated": "unrated",
    "cost": "cost_micros", "waited": "wait_ms", "wait_calls": "wait_calls", "ring_ms": "ring_ms",
    "ring_calls": "ring_calls", "talked": "0",
}  # fmt: skip
# The key of `queue_sum` holds what is a measure elsewhere.
_OF_QUEUE_CELL: Final[dict[LiteralString, LiteralString]] = {
    **_OF_CELL,
    "waited": "CASE WHEN waited_ms >= 0 THEN calls * waited_ms::numeric ELSE 0 END",
    "wait_calls": "CASE WHEN waited_ms >= 0 THEN calls ELSE 0 END",
    "talked": "talk_ms",
}
# The rows' sums are the cubes' own.
_OF_ROWS: Final[dict[LiteralString, LiteralString]] = {
    **{figure: CALLS.measures[column] for figure, column in _OF_CELL.items() if column in CALLS.measures},
    "up": "sum(up)",
    "talked": QUEUES.measures["talk_ms"],
}
_ROW_SUMS: Final[LiteralString] = ", ".join([f"{_OF_ROWS[figure]} AS {figure}" for figure in FIGURES])
# A call that is up counts in none of these.
_OF_UP: Final[dict[LiteralString, LiteralString]] = {"answered": "0", "billsec": "0", "cost_micros": "0"}
# What the figures of queues depend on; of a name and a talk only whether there is one.
_ALIKE: Final[LiteralString] = f"""
    CASE WHEN queue <> {NO_NAME} THEN '' END AS queue_id, CASE WHEN agent <> {NO_NAME} THEN '' END AS agent_id,
    ({CODED["disposition"]})[disposition] AS disposition, nullif(waited_ms, -1) AS wait_ms,
    CASE WHEN talked THEN 0::bigint END AS talk_ms,
"""
_UNLIKE: Final[LiteralString] = """
    NULL AS queue_id, NULL AS agent_id, NULL AS disposition, NULL::bigint AS wait_ms, NULL::bigint AS talk_ms,
"""
_ALIKE_NAMES: Final[LiteralString] = "queue_id, agent_id, disposition, wait_ms, talk_ms, "
# As the cells have it: without a queue and an agent, nothing.
_SERVABLE: Final[LiteralString] = "coalesce(queue_id, agent_id) IS NOT NULL"
_ALIKE_ROWS: Final[LiteralString] = f"""
    CASE WHEN queue_id IS NOT NULL THEN '' END AS alike_queue,
    CASE WHEN agent_id IS NOT NULL THEN '' END AS alike_agent,
    CASE WHEN {_SERVABLE} THEN disposition END AS alike_disposition,
    CASE WHEN {_SERVABLE} THEN wait_ms END AS alike_wait,
    CASE WHEN {_SERVABLE} AND talk_ms IS NOT NULL THEN 0 END AS alike_talk,
"""
_ALIKE_ROW_NAMES: Final[LiteralString] = "alike_queue, alike_agent, alike_disposition, alike_wait, alike_talk, "


def cells(source: Source, selection: Selection, groups: Sequence[str | Periods], *, of_queues: bool) -> LiteralString:
    """Return the statement that adds up a cube of calls."""
    measures = _OF_QUEUE_CELL if source.cube is QUEUES else _OF_CELL
    sign: LiteralString = "-" if source.sign < 0 else ""
    alike: LiteralString = _ALIKE if source.cube is QUEUES and source.named else _UNLIKE
    return sum_cells(
        source.cube,
        selection,
        groups,
        {figure: f"{sign}sum({made})" for figure, made in measures.items()},
        keys=f"{alike} currency, " if of_queues else "currency, ",
        names=f"{_ALIKE_NAMES if of_queues else ''} nullif(currency, '') AS currency, ",
        more_keys=1 + 5 * of_queues,
        named=source.named,
    )


def sum_cells(
    cube: Cube,
    selection: Selection,
    groups: Sequence[str | Periods],
    figures: Mapping[LiteralString, LiteralString],
    *,
    keys: LiteralString = "",
    names: LiteralString = "",
    more_keys: int = 0,
    named: bool = True,
) -> LiteralString:
    """Return the statement that adds up a cube by numbers, and then puts the texts in their places.

    `figures` says how each is made. `keys`: what is grouped by beside `groups`, so many columns; `names` selects them.
    """
    raw: LiteralString = ""
    values: LiteralString = ""
    joins: LiteralString = ""
    for group, (name, starts) in zip(groups, GROUP_NAMES, strict=False):
        if isinstance(group, Periods):
            raw += f"width_bucket({cube.time}::bigint * {cube.unit}, %({starts})s::bigint[]) - 1 AS {name}, "
            values += f"{name}, "
        else:
            column, value, join = _label(group, name, named=named)
            raw += f"{column} AS {name}, "
            values += f"{value} AS {name}, "
            joins += join
    sums: LiteralString = ", ".join([f"{made} AS {figure}" for figure, made in figures.items()])
    # Grouped by number: `disposition` is a column of the cube, too.
    by: LiteralString = ", ".join(_PLACES[: len(groups) + more_keys])
    return f"""
        SELECT {values} {names} {", ".join(figures)}
        FROM (
            SELECT {raw} {keys} {sums} FROM {cube.table}
            WHERE {cube.time} >= %(cubes_from)s / {cube.unit} AND {cube.time} < %(cubes_until)s / {cube.unit}
                {_conditions(selection)}
            GROUP BY {by}
        ) AS cell {joins}
    """  # noqa: S608 - literals alone


_PLACES: Final[tuple[LiteralString, ...]] = ("1", "2", "3", "4", "5", "6", "7", "8")
_KINDS: Final[dict[LiteralString, LiteralString]] = {**NAMED, GATEWAY: "gateway"}


def _label(group: str, name: LiteralString, *, named: bool) -> tuple[LiteralString, LiteralString, LiteralString]:
    """Return a group's column in a cube, how its text is made of `name`, and the table that has it, to be joined."""
    for column, values in CODED.items():
        if column == group:
            return column, f"({values})[{name}]", ""
    for column, kind in _KINDS.items():
        if column == group:
            if not named:
                return NO_NAME, "NULL", ""
            text: LiteralString = f"CASE {name} WHEN {OTHER_NAME} THEN '{OTHER}' ELSE {name}_known.value END"
            return kind, text, f" LEFT JOIN sum_name AS {name}_known ON {name}_known.name_id = {name}"
    known: LiteralString = f" LEFT JOIN sum_account AS {name}_known ON {name}_known.account_no = {name}"
    return "account_no", f"{name}_known.account_id", known


#: The number of the account that a statement is about.
OF_ONE_ACCOUNT: Final[LiteralString] = "(SELECT account_no FROM sum_account WHERE account_id = %(account_id)s)"


def _conditions(selection: Selection) -> LiteralString:
    conditions: list[LiteralString] = []
    owner: LiteralString = ""
    if isinstance(selection.accounts, OneAccount):
        conditions.append(f"account_no = {OF_ONE_ACCOUNT}")
        owner = f" AND known.account_no = {OF_ONE_ACCOUNT}"
    for column, values in CODED.items():
        if getattr(selection.filters, column) is not None:
            conditions.append(f"{column} = array_position({values}, %({column})s)")
    for column, kind in NAMED.items():
        if getattr(selection.filters, column) is not None:
            of_name: LiteralString = f"kind = '{kind}' AND value = %({column})s{owner}"
            conditions.append(f"{kind} IN (SELECT name_id FROM sum_name AS known WHERE {of_name})")  # noqa: S608 - literals alone
    return "".join([f" AND {condition}" for condition in conditions])


def waiting_and_rows(asked: Grouping, selection: Selection, span: Span, *, of_queues: bool) -> LiteralString:
    """Return the statement that adds up what no cube has: what waits, the ends of the time, and the calls up.

    Adds their parameters to those of `asked`.
    """
    columns: LiteralString = ", ".join(COUNTED)
    of_up: LiteralString = ", ".join([_OF_UP.get(column, column) for column in COUNTED])
    up: LiteralString = "end_ts IS NULL AND start_ts >= %(since)s AND start_ts < %(until)s"
    rows: list[LiteralString] = [
        f"SELECT sign, 0 AS up, {columns} FROM sum_delta WHERE {WAITING}",  # noqa: S608 - literals alone
        f"SELECT 1, 1, {of_up} FROM call_cdr WHERE {up}",  # noqa: S608 - literals alone
    ]
    for sign, within in row_ends(asked, span):
        rows.append(f"SELECT {sign}, 0, {columns} FROM call_cdr WHERE end_ts IS NOT NULL AND {within}")  # noqa: S608 - literals alone
    matched, _ = matching(selection.accounts, selection.filters)
    conditions: LiteralString = " AND ".join(["true", *matched])
    alike: LiteralString = _ALIKE_ROWS if of_queues else ""
    alike_names: LiteralString = _ALIKE_ROW_NAMES if of_queues else ""
    # Under the name that the conditions and groups know.
    return f"""
        SELECT {asked.values} {alike} currency, {_ROW_SUMS}
        FROM ({" UNION ALL ".join(rows)}) AS call_cdr WHERE {conditions}
        GROUP BY {asked.names} {alike_names} currency
    """  # noqa: S608 - literals alone


#: The condition of what waits to be rolled up.
WAITING: Final[LiteralString] = "start_ts >= %(cubes_from)s AND start_ts < %(cubes_until)s"
_END_NAMES: Final[tuple[tuple[LiteralString, LiteralString], ...]] = (
    ("first_from", "first_until"),
    ("last_from", "last_until"),
)


def row_ends(asked: Grouping, span: Span) -> Iterator[tuple[LiteralString, LiteralString]]:
    """Yield the sign and the condition of the rows at the ends of a time; adds their parameters to those of `asked`."""
    ends: list[tuple[LiteralString, tuple[int, int]]] = [
        *(("1", piece) for piece in span.added), *(("-1", piece) for piece in span.removed)
    ]  # fmt: skip
    for (sign, piece), (from_name, until_name) in zip(ends, _END_NAMES, strict=False):
        asked.parameters[from_name], asked.parameters[until_name] = piece
        yield sign, f"start_ts >= %({from_name})s AND start_ts < %({until_name})s"
