"""Pages of `call_cdr`, read by key."""

from collections.abc import Mapping, Sequence
from typing import Final, LiteralString, TypeAlias

from tollbook.model.selection import Selection
from tollbook.store.calls.where import Parameters, matching
from tollbook.store.database import Connection, store_errors

Record: TypeAlias = tuple[object, ...]

# Every column that a page may have, the 16 first, as it is selected.
_SELECTED: Final[Mapping[str, LiteralString]] = {
    "call_id": "call_id",
    "account_id": "account_id",
    "direction": "direction",
    "from_num": "from_num",
    "to_num": "to_num",
    "start_ts": "start_ts",
    "answer_ts": "answer_ts",
    "end_ts": "end_ts",
    "duration_sec": "duration_sec",
    "billsec": "billsec",
    "answered": "answered",
    "disposition": "disposition",
    "hangup_cause": "hangup_cause",
    "queue_id": "queue_id",
    "agent_id": "agent_id",
    "cost_micros": "cost_micros",
    "currency": "currency",
    "switch": "switch",
    "revision": "revision",
    "estimated": "estimated",
    "updated_ts": "updated_ts",
    "parts": "parts::text",
    "changed": "changed::text::bigint",
}


def read_page(connection: Connection, selection: Selection, columns: Sequence[str], limit: int) -> list[Record]:
    """Read up to `limit` rows of a selection, in its order, with these columns; `parts` as JSON text.

    Raises StoreUnavailable. Called inside `access.reading`, it gives what the API's role may see.
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
            "(start_ts, call_id) < (%(at)s, %(id)s) AND start_ts <= %(at)s"
            if newest_first
            else "(start_ts, call_id) > (%(at)s, %(id)s) AND start_ts >= %(at)s"
        )
        parameters["at"], parameters["id"] = selection.after
    order: LiteralString = "start_ts DESC, call_id DESC" if newest_first else "start_ts, call_id"
    return f"WHERE {' AND '.join(conditions)} ORDER BY {order}", parameters
