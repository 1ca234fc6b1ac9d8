"""Changes, for syncs: rows in the order of the transactions that wrote them, without a gap.

Transactions do not end in the order in which they began. So a page shows only rows written by transactions older than
the oldest one still running. Whatever that one and later ones write comes on a later page, whenever they commit. Calls
that are gone (`call_gone`) stand in the same order; one that has a row again, which the reader may see, is not gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import LiteralString, TypeAlias, cast

from tollbook.model.call_key import CallKey
from tollbook.model.filters import NO_FILTERS
from tollbook.model.record import Record
from tollbook.model.selection import ChangePosition, Changes
from tollbook.model.tiers import key_of
from tollbook.store.calls.columns import select_clause
from tollbook.store.calls.where import Parameters, after_parameters, matching
from tollbook.store.database import Connection, store_errors
from tollbook.store.days.sync_window import horizon


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedRows:
    """A page of changes: rows, each ending with its transaction, and the keys of calls that are gone, both in order.

    `last`: where the page ends, if there is more. `horizon`: every transaction before this one has ended, and its rows
    can be read.
    """

    rows: Sequence[Record]
    gone: Sequence[CallKey] = ()
    last: ChangePosition | None
    horizon: int


def read_changes(connection: Connection, changes: Changes, columns: Sequence[str], limit: int) -> ChangedRows:
    """Read up to `limit` changed and gone calls, the rows with these columns, those of `read_columns`.

    Call inside `row_security.reading`; raises StoreUnavailable.
    """
    with store_errors():
        ended = horizon(connection)
        # One more than wanted says whether there is a next page.
        rows = _read_rows(connection, changes, columns, ended, limit + 1)
        gone = _read_gone(connection, changes, ended, limit + 1)
    if not gone:
        last = _position(rows[limit - 1]) if len(rows) > limit else None
        return ChangedRows(rows=rows[:limit], last=last, horizon=ended)
    return _merged(rows, gone, limit, ended)


_Change: TypeAlias = tuple[ChangePosition, Record | None]


def _merged(rows: Sequence[Record], gone: Sequence[ChangePosition], limit: int, ended: int) -> ChangedRows:
    changed: list[_Change] = [(_position(row), row) for row in rows]
    left: list[_Change] = [(position, None) for position in gone]
    merged = list(islice(merge(changed, left, key=itemgetter(0)), limit + 1))
    kept = merged[:limit]
    return ChangedRows(
        rows=[row for _, row in kept if row is not None],
        gone=[position.key for position, row in kept if row is None],
        last=kept[-1][0] if len(merged) > limit else None,
        horizon=ended,
    )


def _position(row: Record) -> ChangePosition:
    return ChangePosition(cast("int", row[-1]), key_of(row))


def _read_rows(
    connection: Connection, changes: Changes, columns: Sequence[str], ended: int, limit: int
) -> list[Record]:
    conditions, parameters = matching(changes.accounts, changes.filters)
    conditions += _between(changes, ended, parameters)
    query = f"{select_clause((*columns, 'changed'))} WHERE {' AND '.join(conditions)} {_ORDER}"
    return connection.execute(query, {**parameters, "limit": limit}, binary=True).fetchall()


def _read_gone(connection: Connection, changes: Changes, ended: int, limit: int) -> list[ChangePosition]:
    """Read the positions of the calls that are gone, whatever the filters: nothing is left of them to compare."""
    conditions, parameters = matching(changes.accounts, NO_FILTERS)
    conditions += _between(changes, ended, parameters)
    query = f"""
        SELECT changed::text::bigint, start_ts, call_id, switch FROM call_gone AS call_cdr
        WHERE {" AND ".join(conditions)} AND NOT EXISTS (
            SELECT FROM call_cdr AS present
            WHERE (present.start_ts, present.call_id, present.switch)
                = (call_cdr.start_ts, call_cdr.call_id, call_cdr.switch)
        )
        GROUP BY changed, start_ts, call_id, switch {_ORDER}
    """  # noqa: S608 - literals alone
    rows = connection.execute(query, {**parameters, "limit": limit}).fetchall()
    return [ChangePosition(changed, CallKey(*key)) for changed, *key in rows]


# By the table's column, which has an index, not by the result's of the same name.
_ORDER: LiteralString = "ORDER BY call_cdr.changed, start_ts, call_id, switch LIMIT %(limit)s"


def _between(changes: Changes, ended: int, parameters: Parameters) -> list[LiteralString]:
    conditions: list[LiteralString] = ["changed >= %(first)s::xid8", "changed < %(horizon)s::xid8"]
    # Passed as text: PostgreSQL has no cast from bigint to xid8.
    first = changes.after.changed if changes.after else changes.first
    parameters |= {"first": str(first), "horizon": str(ended)}
    if changes.after is not None:
        conditions.append(
            "(changed, start_ts, call_id, switch)"
            " > (%(first)s::xid8, %(after_start_ts)s, %(after_call_id)s, %(after_switch)s)"
        )
        parameters |= after_parameters(changes.after.key)
    return conditions
