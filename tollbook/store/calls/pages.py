"""Pages of `call_cdr`, read by key."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final, LiteralString, TypeAlias

from psycopg import capabilities

from tollbook.model.call_key import CallKey
from tollbook.model.record import Record
from tollbook.model.selection import Selection
from tollbook.model.tiers import HotPage, archived_part
from tollbook.store.calls.columns import select_clause
from tollbook.store.calls.seam import read_superseded
from tollbook.store.calls.where import Parameters, after_parameters, matching
from tollbook.store.database import Connection, store_errors
from tollbook.store.days.window import read_window

#: Gets a part of a page's rows, in order.
Each: TypeAlias = Callable[[Sequence[Record]], None]

# Some 150 kB: what a socket holds while the part before is worked on.
PART_ROWS: Final = 500
#: Whether libpq can hand out rows before it has all (from 17 on).
CAN_READ_IN_PARTS: Final = capabilities.has_stream_chunked()


def read_page(
    connection: Connection,
    selection: Selection,
    columns: Sequence[str],
    limit: int,
    *,
    edge: int | None = None,
    each: Each | None = None,
) -> list[Record]:
    """Read up to `limit` rows of a selection, in its order, with these columns; `parts` is JSON text.

    `edge`: a time, epoch ms, within the selection's `remaining`, that its first `limit` rows probably do not pass: what
    lies beyond it is asked for when they do. `each` gets the rows part by part while PostgreSQL goes on reading. Inside
    `row_security.reading` it returns only what the API's role may see, and both questions one snapshot. Raises
    StoreUnavailable.
    """
    if edge is None:
        return _read(connection, selection, columns, limit, each)
    near, rest = selection.split(edge)
    rows = _read(connection, near, columns, limit, each)
    return rows if len(rows) >= limit else rows + _read(connection, rest, columns, limit - len(rows), each)


def _read(
    connection: Connection, selection: Selection, columns: Sequence[str], limit: int, each: Each | None
) -> list[Record]:
    conditions, parameters = _where(selection)
    query = f"{select_clause(columns)} {conditions} LIMIT %(limit)s"
    parameters["limit"] = limit
    with store_errors():
        if each is None:
            return connection.execute(query, parameters, binary=True).fetchall()
        rows: list[Record] = []
        with connection.cursor() as cursor:
            left = cursor.stream(query, parameters, binary=True, size=PART_ROWS)
            while part := list(islice(left, PART_ROWS)):
                rows += part
                each(part)
        return rows


def read_hot_page(
    connection: Connection,
    selection: Selection,
    columns: Sequence[str],
    limit: int,
    *,
    edge: int | None = None,
    each: Each | None = None,
) -> HotPage:
    """Read a page, and what is needed to merge it with the archive's page. `columns` are those of `read_columns`.

    Call inside `row_security.reading` or `row_security.snapshot`, which read a single snapshot. `edge` and
    `each` as in `read_page`. Raises StoreUnavailable.
    """
    window_start = read_window(connection).start_ts
    rows = read_page(connection, selection, columns, limit, edge=edge, each=each)
    older, _ = archived_part(selection, limit, rows, window_start)
    superseded = frozenset[CallKey]() if older is None else read_superseded(connection, *older.remaining)
    return HotPage(rows=rows, window_start=window_start, superseded=superseded)


def _where(selection: Selection) -> tuple[LiteralString, Parameters]:
    conditions, parameters = matching(selection.accounts, selection.filters)
    newest_first = selection.order == "desc"
    # After a key, the bound of the time range that the key replaces is left out: an index range with both reads a
    # thousand times more. Of the two conditions on the key the first would do; the second prunes partitions.
    if selection.after is None or newest_first:
        conditions.append("start_ts >= %(since)s")
        parameters["since"] = selection.since
    if selection.after is None or not newest_first:
        conditions.append("start_ts < %(until)s")
        parameters["until"] = selection.until
    if selection.after is not None:
        conditions.append(
            "(start_ts, call_id, switch) < (%(after_start_ts)s, %(after_call_id)s, %(after_switch)s)"
            " AND start_ts <= %(after_start_ts)s"
            if newest_first
            else "(start_ts, call_id, switch) > (%(after_start_ts)s, %(after_call_id)s, %(after_switch)s)"
            " AND start_ts >= %(after_start_ts)s"
        )
        parameters |= after_parameters(selection.after)
    order: LiteralString = "start_ts DESC, call_id DESC, switch DESC" if newest_first else "start_ts, call_id, switch"
    return f"WHERE {' AND '.join(conditions)} ORDER BY {order}", parameters
