"""Pages of `call_cdr`, read by key."""

from collections.abc import Sequence
from typing import LiteralString

from tollbook.model.call_key import CallKey
from tollbook.model.record import Record
from tollbook.model.selection import Selection
from tollbook.model.tiers import HotPage, archived_part
from tollbook.store.calls.columns import select_clause
from tollbook.store.calls.seam import read_superseded
from tollbook.store.calls.where import Parameters, after_parameters, matching
from tollbook.store.database import Connection, store_errors
from tollbook.store.days.window import read_window


def read_page(
    connection: Connection, selection: Selection, columns: Sequence[str], limit: int, *, edge: int | None = None
) -> list[Record]:
    """Read up to `limit` rows of a selection, in its order, with these columns; `parts` is JSON text.

    `edge`: a time, epoch ms, within the selection's `remaining`, that its first `limit` rows probably do not pass: what
    lies beyond it is asked for when they do. Inside `row_security.reading` it returns only what the API's role may see,
    and both questions one snapshot. Raises StoreUnavailable.
    """
    if edge is None:
        return _read(connection, selection, columns, limit)
    near, rest = selection.split(edge)
    rows = _read(connection, near, columns, limit)
    return rows if len(rows) >= limit else rows + _read(connection, rest, columns, limit - len(rows))


def _read(connection: Connection, selection: Selection, columns: Sequence[str], limit: int) -> list[Record]:
    conditions, parameters = _where(selection)
    query = f"{select_clause(columns)} {conditions} LIMIT %(limit)s"
    with store_errors():
        return connection.execute(query, {**parameters, "limit": limit}, binary=True).fetchall()


def read_hot_page(
    connection: Connection, selection: Selection, columns: Sequence[str], limit: int, *, edge: int | None = None
) -> HotPage:
    """Read a page, and what is needed to merge it with the archive's page. `columns` are those of `read_columns`.

    Call inside `row_security.reading` or `row_security.snapshot`, which read a single snapshot. `edge` as in
    `read_page`. Raises StoreUnavailable.
    """
    window_start = read_window(connection).start_ts
    rows = read_page(connection, selection, columns, limit, edge=edge)
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
