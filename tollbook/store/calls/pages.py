"""Pages of `call_cdr`, read by key."""

from collections.abc import Sequence
from typing import Final, LiteralString

from tollbook.model.record import COLUMNS, EXTRA_COLUMNS, Record
from tollbook.model.selection import Selection
from tollbook.store.calls.where import Parameters, after_parameters, matching
from tollbook.store.database import Connection, store_errors

# How a column is selected, where it is not by its name alone.
_SELECTED: Final[dict[str, LiteralString]] = {
    **{name: name for name in (*COLUMNS, *EXTRA_COLUMNS)},
    "parts": "parts::text",
    "changed": "changed::text::bigint",
}


def read_page(connection: Connection, selection: Selection, columns: Sequence[str], limit: int) -> list[Record]:
    """Read up to `limit` rows of a selection, in its order, with these columns; `parts` as JSON text.

    Raises StoreUnavailable. Called inside `row_security.reading`, it gives what the API's role may see.
    """
    conditions, parameters = _where(selection)
    query = f"{selected(columns)} {conditions} LIMIT %(limit)s"
    with store_errors():
        return connection.execute(query, {**parameters, "limit": limit}, binary=True).fetchall()


def selected(columns: Sequence[str]) -> LiteralString:
    """Say what is selected from `call_cdr`; raises KeyError for a column that no page has."""
    chosen: list[LiteralString] = [_SELECTED[name] for name in columns]
    return f"SELECT {', '.join(chosen)} FROM call_cdr"  # noqa: S608 - literals all, which the type holds


def _where(selection: Selection) -> tuple[LiteralString, Parameters]:
    conditions, parameters = matching(selection.accounts, selection.filters)
    newest_first = selection.order == "desc"
    # Of an end of the window that lies behind the cursor nothing is asked: an index range with both reads a thousand
    # times more. Of the two conditions of a cursor the first would do; partitions are pruned by the second.
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
