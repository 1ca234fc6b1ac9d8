"""Changes to an existing account: its plan by date, its numbering plan, whether it is disabled."""

from tollbook.store.database import Connection, scalar, store_errors
from tollbook.store.tariffs.tariffs import raise_version, require_account, require_numbering, require_plan


def assign(connection: Connection, account_id: str, plan_id: str | None, *, from_ts: int, to_ts: int | None) -> None:
    """Put an account on a plan (None: no plan) from `from_ts` until just before `to_ts` (epoch ms).

    From `to_ts` on, whatever plan was already assigned for that time applies again. `to_ts` None: until the account's
    next assignment. Raises UsageError for an account or a plan that does not exist.
    """
    with store_errors(), connection.transaction():
        require_account(connection, account_id)
        if plan_id is not None:
            require_plan(connection, plan_id)
        if to_ts is not None:
            connection.execute(
                """
                INSERT INTO account_plan (account_id, from_ts, plan_id)
                SELECT %(account)s, %(to)s, (SELECT plan_id FROM account_plan
                    WHERE account_id = %(account)s AND from_ts <= %(to)s ORDER BY from_ts DESC LIMIT 1)
                ON CONFLICT DO NOTHING
                """,
                {"account": account_id, "to": to_ts},
            )
            connection.execute(
                "DELETE FROM account_plan WHERE account_id = %s AND from_ts > %s AND from_ts < %s",
                (account_id, from_ts, to_ts),
            )
        connection.execute(
            "INSERT INTO account_plan (account_id, from_ts, plan_id) VALUES (%s, %s, %s)"
            " ON CONFLICT (account_id, from_ts) DO UPDATE SET plan_id = excluded.plan_id",
            (account_id, from_ts, plan_id),
        )
        raise_version(connection)


def set_numbering(connection: Connection, account_id: str, numbering_id: str | None) -> None:
    """Set an account's numbering plan (None: no plan); raises UsageError for an account or plan that does not exist."""
    with store_errors(), connection.transaction():
        require_account(connection, account_id)
        if numbering_id is not None:
            require_numbering(connection, numbering_id)
        connection.execute("UPDATE account SET numbering_id = %s WHERE account_id = %s", (numbering_id, account_id))
        raise_version(connection)


def set_disabled(connection: Connection, account_id: str, *, disabled: bool) -> None:
    """Disable an account, so that its keys are refused from their next request on, or enable it again."""
    with store_errors(), connection.transaction():
        require_account(connection, account_id)
        connection.execute(
            "UPDATE account SET disabled_at = CASE WHEN %s THEN coalesce(disabled_at, now()) END WHERE account_id = %s",
            (disabled, account_id),
        )


def has_calls(connection: Connection, account_id: str) -> bool:
    """Return whether PostgreSQL has a call of an account, which may never have been added."""
    with store_errors():
        return bool(scalar(connection, "SELECT EXISTS (SELECT FROM call_cdr WHERE account_id = %s)", account_id))


def is_known(connection: Connection, account_id: str) -> bool:
    """Return whether there is such an account."""
    with store_errors():
        found = connection.execute("SELECT FROM account WHERE account_id = %s", (account_id,))
        return found.fetchone() is not None
