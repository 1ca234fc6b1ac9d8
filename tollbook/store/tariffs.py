"""Accounts, the numbers they own, plans and rates, as rows; `rating` makes decks of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tollbook.errors import UsageError
from tollbook.model.fold import owner_key
from tollbook.store.database import Connection, scalar, store_errors


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """An account and its plan (None: unrated)."""

    account_id: str
    name: str
    plan_id: str | None


RateRow: TypeAlias = tuple[int, str, str, int, int, int, int, int, int | None, str]


def version(connection: Connection) -> int:
    """Give the number that every change to accounts, numbers, plans or rates raises."""
    return int(str(scalar(connection, "SELECT version FROM deck_version")))


def bump(connection: Connection) -> None:
    """Tell every listener, at commit, that tariffs changed."""
    connection.execute("UPDATE deck_version SET version = version + 1")


def accounts(connection: Connection) -> list[Account]:
    """List all accounts by id."""
    rows = connection.execute("SELECT account_id, name, plan_id FROM account ORDER BY account_id").fetchall()
    return [Account(account_id=one, name=name, plan_id=plan) for one, name, plan in rows]


def number_owners(connection: Connection) -> dict[str, str]:
    """Map each number that an account owns, as `owner_key` writes it, to the account."""
    return dict(connection.execute("SELECT number, account_id FROM account_number").fetchall())


def rates(connection: Connection, plan_id: str) -> list[RateRow]:
    """Read a plan's rates: id, direction, prefix, per minute, fee, increment, first increment, from, to, name."""
    return connection.execute(
        "SELECT rate_id, direction, prefix, per_min_micros, connection_fee_micros, increment_sec,"
        " first_increment_sec, valid_from_ts, valid_to_ts, name FROM rate WHERE plan_id = %s",
        (plan_id,),
        binary=True,
    ).fetchall()


def plans(connection: Connection) -> list[tuple[str, str]]:
    """List plans as (id, currency)."""
    return connection.execute("SELECT plan_id, currency FROM rate_plan ORDER BY plan_id").fetchall()


def add_account(connection: Connection, account: Account) -> None:
    """Add an account; raises UsageError when it exists or its plan does not."""
    with store_errors(), connection.transaction():
        if account.plan_id is not None and not scalar(
            connection, "SELECT EXISTS (SELECT FROM rate_plan WHERE plan_id = %s)", account.plan_id
        ):
            raise UsageError(
                f"there is no rate plan {account.plan_id!r}: import it first, tollbook rates import FILE --plan …"
            )
        added = connection.execute(
            "INSERT INTO account (account_id, name, plan_id) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            (account.account_id, account.name, account.plan_id),
        )
        if added.rowcount == 0:
            raise UsageError(f"the account {account.account_id!r} exists already")
        bump(connection)


def add_numbers(connection: Connection, account_id: str, numbers: Iterable[str]) -> None:
    """Give numbers to an account; raises UsageError when it does not exist or another account owns one."""
    with store_errors(), connection.transaction():
        if not scalar(connection, "SELECT EXISTS (SELECT FROM account WHERE account_id = %s)", account_id):
            raise UsageError(f"there is no account {account_id!r}: add it first, tollbook account add {account_id}")
        for number in numbers:
            owner = connection.execute(
                "INSERT INTO account_number (number, account_id) VALUES (%s, %s)"
                " ON CONFLICT (number) DO UPDATE SET number = excluded.number RETURNING account_id",
                (owner_key(number), account_id),
            ).fetchone()
            if owner and owner[0] != account_id:
                raise UsageError(f"{number} belongs to {owner[0]}: no number was added")
        bump(connection)


def replace_rates(connection: Connection, plan_id: str, currency: str | None, new: Iterable[Sequence[object]]) -> None:
    """Replace all rates of a plan (made when missing) in one transaction: nobody ever prices from half a deck.

    `currency` None leaves that of the plan; a new one is in USD.
    """
    with store_errors(), connection.transaction():
        connection.execute(
            "INSERT INTO rate_plan AS old (plan_id, currency) VALUES (%s, coalesce(%s, 'USD'))"
            " ON CONFLICT (plan_id) DO UPDATE SET currency = coalesce(%s, old.currency)",
            (plan_id, currency, currency),
        )
        connection.execute("DELETE FROM rate WHERE plan_id = %s", (plan_id,))
        with connection.cursor().copy(
            "COPY rate (plan_id, direction, prefix, per_min_micros, connection_fee_micros, increment_sec,"
            " first_increment_sec, valid_from_ts, valid_to_ts, name) FROM STDIN"
        ) as copy:
            for row in new:
                copy.write_row((plan_id, *row))
        bump(connection)
