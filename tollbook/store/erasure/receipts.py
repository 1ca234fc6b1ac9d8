"""`erasure`: what was erased, when, by whom and why; unfinished until all of it is gone.

A number is kept until its erasure is finished, so that a killed one can go on, and not in the receipt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, LiteralString
from uuid import UUID

import msgspec
from psycopg.rows import class_row

from tollbook.store.database import Connection, store_errors
from tollbook.store.holds import refuse_held

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, kw_only=True, slots=True)
class Erasure:
    """An erasure; times are epoch ms.

    It is of the calls of `account_id` (None: of every account), and of a number if `of_number`, that started before
    `until_ts`. `counts`: what was removed, by place. `keys_sha256`: of the erased calls' keys, a line
    `start_ts TAB call_id TAB switch LF` each, in order.
    """

    erasure_id: UUID
    account_id: str | None
    of_number: bool
    number: str | None
    until_ts: int
    by_whom: str
    reason: str
    begun_ts: int
    finished_ts: int | None
    calls: int | None
    keys_sha256: str | None
    counts: Mapping[str, int]


_SELECT: Final[LiteralString] = """
    SELECT erasure_id, account_id, of_number, number, until_ts, by_whom, reason,
           (extract(epoch FROM begun_at) * 1000)::bigint AS begun_ts,
           (extract(epoch FROM finished_at) * 1000)::bigint AS finished_ts, calls, keys_sha256, counts
    FROM erasure
"""


def begin(
    connection: Connection, *, account_id: str | None, number: str | None, until_ts: int, by_whom: str, reason: str
) -> Erasure:
    """Begin an erasure, or return the unfinished one of the same calls. Call in autocommit.

    `number`: in one form, however it was written, so that another spelling goes on. Raises AccountHeld and
    StoreUnavailable. From here on the account cannot be put under a hold.
    """
    with store_errors(), connection.transaction():
        # `tollbook account hold` either is seen by the next statement, or sees what we insert (store/holds.py).
        connection.execute("LOCK TABLE account_hold IN SHARE MODE")
        refuse_held(connection, [account_id])
        scope = {"account": account_id, "number": number}
        connection.execute(
            "INSERT INTO erasure (account_id, of_number, number, until_ts, by_whom, reason)"
            " SELECT %(account)s, %(number)s::text IS NOT NULL, %(number)s, %(until)s, %(by)s, %(reason)s"
            " WHERE NOT EXISTS (SELECT FROM erasure WHERE finished_at IS NULL"
            "  AND account_id IS NOT DISTINCT FROM %(account)s AND number IS NOT DISTINCT FROM %(number)s)",
            {**scope, "until": until_ts, "by": by_whom, "reason": reason},
        )
        found = unfinished(connection, account_id, number)
    assert found is not None
    return found


def unfinished(connection: Connection, account_id: str | None, number: str | None) -> Erasure | None:
    """Return the unfinished erasure of an account (None: of every one) and a number, in the form `begin` was given."""
    with store_errors():
        return (
            connection.cursor(row_factory=class_row(Erasure))
            .execute(
                _SELECT + "WHERE finished_at IS NULL AND account_id IS NOT DISTINCT FROM %(account)s"
                " AND number IS NOT DISTINCT FROM %(number)s",
                {"account": account_id, "number": number},
            )
            .fetchone()
        )


def read(connection: Connection, erasure_id: UUID) -> Erasure:
    """Read an erasure."""
    with store_errors():
        found = (
            connection.cursor(row_factory=class_row(Erasure))
            .execute(_SELECT + "WHERE erasure_id = %s", (erasure_id,))
            .fetchone()
        )
    assert found is not None
    return found


def receipts(connection: Connection) -> list[Erasure]:
    """List all erasures, oldest first."""
    with store_errors():
        return connection.cursor(row_factory=class_row(Erasure)).execute(_SELECT + "ORDER BY begun_at").fetchall()


def cancel(connection: Connection, erasure_id: UUID) -> None:
    """Forget an erasure that has removed nothing."""
    with store_errors(), connection.transaction():
        connection.execute("DELETE FROM erasure_call WHERE erasure_id = %s", (erasure_id,))
        connection.execute("DELETE FROM erasure WHERE erasure_id = %s", (erasure_id,))


def add_counts(connection: Connection, erasure_id: UUID, counts: Mapping[str, int]) -> None:
    """Add to the counts of an erasure, in the caller's transaction."""
    connection.execute(
        """
        UPDATE erasure SET counts = (
            SELECT jsonb_object_agg(key, amount) FROM (
                SELECT key, sum(value::bigint) AS amount FROM (
                    SELECT * FROM jsonb_each_text(counts) UNION ALL SELECT * FROM jsonb_each_text(%s::jsonb)
                ) AS added GROUP BY key
            ) AS summed
        ) WHERE erasure_id = %s
        """,
        (_encode(counts).decode(), erasure_id),
    )


def add_file(connection: Connection, erasure_id: UUID, place: str, path: str) -> None:
    """Note a file before it is deleted, so that it counts once, however often the erasure is killed."""
    with store_errors():
        connection.execute(
            "INSERT INTO erasure_file (erasure_id, place, path) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            (erasure_id, place, path),
        )


def files(connection: Connection, erasure_id: UUID, place: str) -> list[str]:
    """Return the files of a place that were noted, deleted or not."""
    with store_errors():
        rows = connection.execute(
            "SELECT path FROM erasure_file WHERE erasure_id = %s AND place = %s ORDER BY path", (erasure_id, place)
        ).fetchall()
    return [path for (path,) in rows]


def close(connection: Connection, erasure_id: UUID, *, calls: int, keys_sha256: str) -> None:
    """Write the receipt's last figures: how many calls, the hash of their keys, and the files by place."""
    with store_errors():
        connection.execute(
            """
            UPDATE erasure SET calls = %s, keys_sha256 = %s, counts = counts || coalesce((
                SELECT jsonb_object_agg(place, files) FROM (
                    SELECT place, count(*) AS files FROM erasure_file
                    WHERE erasure_file.erasure_id = erasure.erasure_id GROUP BY place
                ) AS of_place
            ), '{}') WHERE erasure_id = %s
            """,
            (calls, keys_sha256, erasure_id),
        )


def finish(connection: Connection, erasure_id: UUID) -> Erasure:
    """Mark a closed erasure as finished, and forget its number, calls, legs and the names of its files."""
    with store_errors(), connection.transaction():
        # For the statements of these accounts (store/statements/issued.py).
        connection.execute(
            "UPDATE erasure SET accounts = ARRAY(SELECT DISTINCT account_id FROM erasure_call"
            " WHERE erasure_call.erasure_id = erasure.erasure_id AND account_id IS NOT NULL) WHERE erasure_id = %s",
            (erasure_id,),
        )
        connection.execute("DELETE FROM erasure_call WHERE erasure_id = %s", (erasure_id,))
        connection.execute("DELETE FROM erasure_leg WHERE erasure_id = %s", (erasure_id,))
        connection.execute("DELETE FROM erasure_file WHERE erasure_id = %s", (erasure_id,))
        connection.execute("UPDATE erasure SET number = NULL, finished_at = now() WHERE erasure_id = %s", (erasure_id,))
    return read(connection, erasure_id)
