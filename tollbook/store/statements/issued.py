"""The issued statements: a row each, written once. Their content is JSON that only `tollbook.statements` reads."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from psycopg.rows import class_row

from tollbook.errors import StoreUnavailable
from tollbook.model.accounts import Accounts, OneAccount
from tollbook.store.database import Connection, limit_transaction, scalar, store_errors
from tollbook.store.locks import STATEMENT_LOCK

# Literal, and not `*`: a newer version's columns are no business of this one's.
_SELECT: Final = "SELECT content, sha256 FROM statement"


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredStatement:
    """An issued statement: the text that is frozen, and its SHA-256 in hexadecimal digits."""

    content: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedStatement:
    """An issued statement in a list; `totals` is JSON text, `issued_ts` epoch ms."""

    account_id: str
    month: str
    number: str
    issued_ts: int
    sha256: str
    totals: str


class IssuedMeanwhile(StoreUnavailable):
    """Another statement of the account was issued since this one was computed."""


def read_all(connection: Connection, account_id: str) -> list[StoredStatement]:
    """Read all issued statements of an account, the first month first; raises StoreUnavailable."""
    with store_errors():
        return (
            connection.cursor(row_factory=class_row(StoredStatement))
            .execute(f"{_SELECT} WHERE account_id = %s ORDER BY from_ts", (account_id,))
            .fetchall()
        )


def find(connection: Connection, account_id: str, month: str) -> StoredStatement | None:
    """Read the issued statement of an account and a month; None if there is none. Raises StoreUnavailable."""
    with store_errors():
        return (
            connection.cursor(row_factory=class_row(StoredStatement))
            .execute(f"{_SELECT} WHERE account_id = %s AND month = %s", (account_id, month))
            .fetchone()
        )


def list_newest(
    connection: Connection, accounts: Accounts, *, limit: int, month: str | None = None
) -> list[ListedStatement]:
    """List the newest issued statements of an account, or of every account; of one month, if one is named."""
    account_id = accounts.account_id if isinstance(accounts, OneAccount) else None
    with store_errors():
        return (
            connection.cursor(row_factory=class_row(ListedStatement))
            .execute(
                # Only the content of those that are listed is parsed.
                "SELECT account_id, month, content::json ->> 'number' AS number, sha256,"
                " (content::json ->> 'issued_ts')::bigint AS issued_ts, (content::json -> 'totals')::text AS totals"
                " FROM (SELECT account_id, month, content, sha256 FROM statement"
                "  WHERE (%(account)s::text IS NULL OR account_id = %(account)s)"
                "  AND (%(month)s::text IS NULL OR month = %(month)s) ORDER BY month DESC, account_id LIMIT %(limit)s"
                " ) AS newest ORDER BY month DESC, account_id",
                {"account": account_id, "month": month, "limit": limit},
            )
            .fetchall()
        )


def write(
    connection: Connection,
    *,
    account_id: str,
    month: str,
    span: tuple[int, int],
    series: str,
    after: int,
    make: Callable[[int], tuple[str, str]],
) -> StoredStatement:
    """Write a statement under the next number of its series, and return it; one that is there is returned as it is.

    `span`: the time that it covers, epoch ms. `after`: how many statements the account had when this one was computed.
    `make` takes the number and returns the content and its SHA-256. The number is taken in the transaction that writes
    the row, so a series has no gap whatever is killed. Raises IssuedMeanwhile and StoreUnavailable. Call outside a
    transaction.
    """
    with store_errors(), connection.transaction():
        limit_transaction(connection)
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (STATEMENT_LOCK,))
        if (there := find(connection, account_id, month)) is not None:
            return there
        if scalar(connection, "SELECT count(*) FROM statement WHERE account_id = %s", account_id) != after:
            raise IssuedMeanwhile(f"another statement of {account_id} was issued meanwhile: run this again")
        number = int(
            str(scalar(connection, "SELECT coalesce(max(number), 0) + 1 FROM statement WHERE series = %s", series))
        )
        content, sha256 = make(number)
        connection.execute(
            "INSERT INTO statement (account_id, month, from_ts, until_ts, series, number, content, sha256)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            (account_id, month, *span, series, number, content, sha256),
        )
    return StoredStatement(content=content, sha256=sha256)


# An unfinished erasure of a number may concern any account; a finished one says whose calls it removed.
_ERASED_SINCE: Final = """
    SELECT EXISTS (
        SELECT FROM erasure WHERE extract(epoch FROM finished_at) * 1000 > %s
          AND CASE WHEN accounts IS NULL THEN account_id IS NULL OR account_id = %s ELSE %s = ANY (accounts) END
    )
"""
_ERASING: Final = """
    SELECT EXISTS (SELECT FROM erasure WHERE finished_at IS NULL AND (account_id IS NULL OR account_id = %s))
"""


def erased_since(connection: Connection, account_id: str, since_ms: int) -> bool:
    """Return whether an erasure has removed calls of an account after a time, epoch ms by PostgreSQL's clock.

    By when it finished, not began: it can be killed and go on days later. See also `is_erasing`.
    """
    with store_errors():
        return bool(scalar(connection, _ERASED_SINCE, since_ms, account_id, account_id))


def is_erasing(connection: Connection, account_id: str) -> bool:
    """Return whether an unfinished erasure may be removing calls of an account."""
    with store_errors():
        return bool(scalar(connection, _ERASING, account_id))


def accounts_without(connection: Connection, month: str) -> tuple[int, str | None]:
    """Return how many accounts that have statements lack that of a month, which is over, and the first of them."""
    with store_errors():
        row = connection.execute(
            "SELECT count(*), min(account_id)"
            " FROM (SELECT account_id FROM statement GROUP BY account_id HAVING max(month) < %s) AS behind",
            (month,),
        ).fetchone()
    return (row[0], row[1]) if row else (0, None)
