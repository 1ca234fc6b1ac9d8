"""`account_hold`: accounts whose calls must be kept. Neither an erasure nor the archive's retention removes them."""

from collections.abc import Collection
from dataclasses import dataclass

from psycopg.rows import class_row

from tollbook.errors import AccountHeld, UsageError
from tollbook.store.database import Connection, store_errors
from tollbook.store.tariffs.tariffs import require_account
from tollbook.times import written


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """A hold on an account: since when (epoch ms), by whom and why."""

    account_id: str
    since_ts: int
    by_whom: str
    reason: str


# Of a number in all accounts: nobody knows whose calls it may still remove.
_UNFINISHED_ERASURE = """
    SELECT account_id IS NOT NULL, (extract(epoch FROM begun_at) * 1000)::bigint FROM erasure
    WHERE finished_at IS NULL AND (account_id = %s OR account_id IS NULL) LIMIT 1
"""


def place(connection: Connection, account_id: str, *, by_whom: str, reason: str) -> None:
    """Hold an account; raises UsageError for one that does not exist, is held already, or is being erased."""
    with store_errors(), connection.transaction():
        require_account(connection, account_id)
        placed = connection.execute(
            "INSERT INTO account_hold (account_id, by_whom, reason) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            (account_id, by_whom, reason),
        )
        if placed.rowcount == 0:
            raise UsageError(
                f"the account {account_id!r} is held already: `tollbook account hold` lists the holds; with --reason,"
                " the hold gets another reason"
            )
        begun = connection.execute(_UNFINISHED_ERASURE, (account_id,)).fetchone()
        if begun is not None:
            whose = f"the account {account_id!r}" if begun[0] else "a number, in all accounts,"
            raise UsageError(
                f"an erasure of {whose} began at {written(begun[1])} and is not finished: run it again to its end"
                " (`tollbook account erase`), then place the hold"
            )


def change_reason(connection: Connection, account_id: str, reason: str) -> bool:
    """Give the hold on an account another reason; return False if there is none."""
    with store_errors(), connection.transaction():
        changed = connection.execute(
            "UPDATE account_hold SET reason = %s WHERE account_id = %s AND released_at IS NULL", (reason, account_id)
        )
    return changed.rowcount > 0


def release(connection: Connection, account_id: str, *, by_whom: str) -> None:
    """Lift the hold on an account; raises UsageError if there is none. It stays on record."""
    with store_errors(), connection.transaction():
        lifted = connection.execute(
            "UPDATE account_hold SET released_at = now(), released_by = %s"
            " WHERE account_id = %s AND released_at IS NULL",
            (by_whom, account_id),
        )
        if lifted.rowcount == 0:
            raise UsageError(f"the account {account_id!r} is not held: `tollbook account hold` lists the holds")


def holds(connection: Connection) -> list[Hold]:
    """List the holds in force, by account."""
    with store_errors():
        return (
            connection.cursor(row_factory=class_row(Hold))
            .execute(
                "SELECT account_id, (extract(epoch FROM placed_at) * 1000)::bigint AS since_ts, by_whom, reason"
                " FROM account_hold WHERE released_at IS NULL ORDER BY account_id"
            )
            .fetchall()
        )


def held_accounts(connection: Connection) -> frozenset[str]:
    """Return the accounts that are held."""
    return frozenset(hold.account_id for hold in holds(connection))


def refuse_held(connection: Connection, account_ids: Collection[str | None]) -> None:
    """Raise AccountHeld if one of the accounts is held."""
    for hold in holds(connection):
        if hold.account_id in account_ids:
            why = f" ({hold.reason})" if hold.reason else ""
            raise AccountHeld(
                f"the account {hold.account_id!r} is under a hold of {hold.by_whom}{why}: nothing of it was removed;"
                f" `tollbook account hold {hold.account_id} --release` lifts it"
            )
