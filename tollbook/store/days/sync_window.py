"""Which changes a sync can still be told of: those by transactions after `changes_after`, and none is missing of these.

Rows leave `call_cdr` with their day, and late ones when they have been at rest for a window. A sync that has not seen
their last change by then would never see it. So whoever removes rows raises `changes_after` to the newest of their
changes, in the same transaction, and a sync from before that is refused. To spare the nightly syncs that, rows that
changed long after their call move to the late calls when their day is dropped (`keep_changed`).

The ids of transactions order the changes. Those of another server, which a restored row carries, mean nothing here: a
restore begins the changes anew (`begin_changes`), and a row with an id that is still to come counts as unchanged.
"""

from dataclasses import dataclass
from typing import Final, LiteralString, cast

from psycopg import sql

from tollbook.store.database import LONGEST_TRANSACTION_S, Connection, limit_transaction, scalar, store_errors
from tollbook.store.days.partitions import CALLS, partition_name
from tollbook.times import MS_PER_DAY

# Rows that a day leaves to the late calls because they changed lately, at most. They are moved while every INSERT
# waits: 2,000 take some 30 ms. Of a larger day that was priced again, syncs from before are refused.
MAX_KEPT: Final = 2000

# A row that was written within so many days after the end of its day was written by the call itself, not by a change
# that came later: there may be thousands around midnight.
_SETTLING_DAYS: Final = 1

_XID_BITS: Final = 64

# Rows removed in one transaction: some 50 ms.
_FORGOTTEN_AT_ONCE: Final = 10_000

# If transaction X comes before Y, X began before Y ended, and neither lasts longer than LONGEST_TRANSACTION_S. So X had
# ended when twice that long had passed since Y began.
_ENDED_AFTER_MS: Final = 2 * LONGEST_TRANSACTION_S * 1000

#: What `lose_changes` takes, of the rows that are removed.
NEWEST_CHANGE: Final[LiteralString] = (
    "max(changed) FILTER (WHERE changed < pg_snapshot_xmax(pg_current_snapshot()))::text,"
    " max(updated_ts) FILTER (WHERE changed < pg_snapshot_xmax(pg_current_snapshot()))"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SyncWindow:
    """All changes by transactions after `after` can be read, and those up to it had ended at `since_ms`, epoch ms."""

    after: int
    since_ms: int


def read_sync_window(connection: Connection) -> SyncWindow:
    """Read the window of changes, as it is in this transaction's snapshot; raises StoreUnavailable."""
    with store_errors():
        row = connection.execute("SELECT changes_after::text::bigint, changes_since FROM hot_window").fetchone()
    after, since_ms = cast("tuple[int, int]", row)
    return SyncWindow(after=after, since_ms=since_ms)


def begin_changes(connection: Connection) -> None:
    """Let the changes that a sync can read begin with the transactions that still run.

    For a database whose rows were changed, or went missing, in another way than by our transactions. Raises
    StoreUnavailable.
    """
    with store_errors():
        connection.execute(
            "UPDATE hot_window SET changes_since = (extract(epoch FROM now()) * 1000)::bigint,"
            " changes_after = (pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1)::text::xid8"
        )


def lose_changes(connection: Connection, changed: str | None, updated_ms: int | None) -> None:
    """Note that rows are removed of which transaction `changed`, begun at `updated_ms`, wrote the newest; None: no row.

    Call in the transaction that removes them. By now, whoever wrote them has ended.
    """
    connection.execute(
        "UPDATE hot_window SET changes_after = %(changed)s::xid8, changes_since = greatest(changes_since,"
        " least(%(updated)s + %(ended_after)s, (extract(epoch FROM clock_timestamp()) * 1000)::bigint))"
        " WHERE %(changed)s::xid8 > changes_after",
        {"changed": changed, "updated": updated_ms, "ended_after": _ENDED_AFTER_MS},
    )


def changed_lately(connection: Connection, day: int) -> int:
    """Return the first transaction whose changes to calls of a day `keep_changed` keeps: a late leg, another price.

    Call outside a transaction; raises StoreUnavailable.
    """
    return first_transaction_since(connection, (day + 1 + _SETTLING_DAYS) * MS_PER_DAY)


def keep_changed(connection: Connection, day: int, first: int) -> list[str]:
    """Return where (ctid) the rows of a day are that changed since transaction `first`; lose the changes of the others.

    No more than MAX_KEPT, those that changed last. Call in the transaction that drops the day, when its writers wait.
    """
    table = sql.Identifier(partition_name(CALLS.table, day))
    newest = connection.execute(
        sql.SQL(
            "SELECT ctid::text, changed::text, updated_ts FROM {day} AS call"
            " WHERE changed >= %s::xid8 AND changed < pg_snapshot_xmax(pg_current_snapshot())"
            " ORDER BY call.changed DESC LIMIT %s"
        ).format(day=table),
        (str(first), MAX_KEPT + 1),
    ).fetchall()
    kept = [(ctid, changed) for ctid, changed, _ in newest]
    if len(newest) > MAX_KEPT:
        _, lost, updated_ms = newest[-1]
        kept = [(ctid, changed) for ctid, changed in kept if changed != lost]
    else:
        row = connection.execute(
            sql.SQL(
                "SELECT changed::text, updated_ts FROM {day} AS call WHERE changed < %s::xid8"
                " ORDER BY call.changed DESC LIMIT 1"
            ).format(day=table),
            (str(first),),
        ).fetchone()
        lost, updated_ms = row or (None, None)
    lose_changes(connection, lost, updated_ms)
    return [ctid for ctid, _ in kept]


def forget_gone(connection: Connection, before_ms: int) -> None:
    """Forget the calls that were gone before `before_ms`, epoch ms.

    Call outside a transaction; raises StoreUnavailable.
    """
    removed = _FORGOTTEN_AT_ONCE
    while removed == _FORGOTTEN_AT_ONCE:
        with store_errors(), connection.transaction():
            limit_transaction(connection)
            row = connection.execute(_FORGET, (before_ms, _FORGOTTEN_AT_ONCE)).fetchone()
            removed, changed, updated_ms = cast("tuple[int, str | None, int | None]", row)
            lose_changes(connection, changed, updated_ms)


_FORGET: Final[LiteralString] = f"""
    WITH forgotten AS (
        DELETE FROM call_gone
        WHERE ctid = ANY (ARRAY(SELECT ctid FROM call_gone WHERE updated_ts < %s LIMIT %s))
        RETURNING changed, updated_ts
    )
    SELECT count(*), {NEWEST_CHANGE} FROM forgotten
"""  # noqa: S608 - literals alone


def first_transaction_since(connection: Connection, since_ms: int) -> int:
    """Return a transaction id that is no greater than that of any transaction that ended at `since_ms` or later.

    It is greater than `changes_after`. `since_ms` is epoch ms. No index holds the time of a change, because one more
    index would cost every write. But `changed` nearly grows with time: if a transaction began _ENDED_AFTER_MS before
    `since_ms`, every earlier one had ended by then. The search is a bisection: at most 64 look-ups in the index. Call
    outside `row_security.reading`, where each look-up would have to skip the rows of all other accounts.
    """
    safe_ms = since_ms - _ENDED_AFTER_MS
    window = read_sync_window(connection)
    with store_errors():
        first, last = window.after + 1, horizon(connection)
        for _ in range(_XID_BITS):
            if first >= last:
                break
            middle = (first + last) // 2
            row = connection.execute(_FIRST_CHANGE, {"first": str(middle), "last": str(last)}).fetchone()
            # What is older than the window of changes may have come with a restore, from another server.
            if row is not None and window.since_ms <= row[1] < safe_ms:
                first = row[0] + 1
            else:
                last = middle
    return first


# Ordered by the table's column, which has an index, not by the result's of the same name.
_FIRST_CHANGE: LiteralString = """
    SELECT changed::text::bigint, updated_ts FROM call_cdr
    WHERE changed >= %(first)s::xid8 AND changed < %(last)s::xid8
    ORDER BY call_cdr.changed LIMIT 1
"""


def horizon(connection: Connection) -> int:
    """Return the id of the oldest transaction that still runs, or of the next one: all before it have ended."""
    return int(cast("str", scalar(connection, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text")))
