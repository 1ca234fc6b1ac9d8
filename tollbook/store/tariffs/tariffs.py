"""Accounts, the numbers they own, plans and rates, as rows; `rating` builds decks from them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, LiteralString, TypeAlias

from psycopg.rows import class_row

from tollbook.errors import UsageError
from tollbook.model.numbering import NumberingPlan, NumberingRow, readings_of
from tollbook.model.numbers import owner_key
from tollbook.model.rate import RATE_COLUMNS
from tollbook.store.calls.columns import names
from tollbook.store.database import Connection, scalar, store_errors

_RATES: Final[LiteralString] = f"""
    SELECT {names(RATE_COLUMNS)} FROM rate WHERE plan_id = %s AND until_version IS NULL
"""  # noqa: S608 - built only from our own names, as LiteralString proves

# Rows that libpq returns at a time: a few hundred kB, and a hundredth of the calls that single rows would take.
_PIECE: Final = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """An account with today's plan (None: unrated) and its numbering plan (None: numbers are plain digits)."""

    account_id: str
    name: str
    plan_id: str | None
    numbering_id: str | None = None
    disabled: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanRow:
    """A plan and the version of its own rates (0: never imported)."""

    plan_id: str
    currency: str
    base_plan_id: str | None
    version: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AssignmentRow:
    """An account's plan from `from_ts` (epoch ms) until its next assignment; `plan_id` None: no plan."""

    account_id: str
    from_ts: int
    plan_id: str | None


# The values of RATE_COLUMNS.
RateRow: TypeAlias = tuple[str, str, int, int, int, int, int, int | None, str, int, int, str]


def tariff_version(connection: Connection) -> int:
    """Return the number that every change to accounts, numbers, numbering plans, plans or rates raises."""
    return int(str(scalar(connection, "SELECT version FROM tariff_version")))


def raise_version(connection: Connection) -> None:
    """Raise the tariff version, by which every listener sees, after the commit, that tariffs changed."""
    connection.execute("UPDATE tariff_version SET version = version + 1")


def accounts(connection: Connection) -> list[Account]:
    """List all accounts by id."""
    return (
        connection.cursor(row_factory=class_row(Account))
        .execute("""
            SELECT account_id, name, numbering_id, disabled_at IS NOT NULL AS disabled,
                   (SELECT plan_id FROM account_plan
                    WHERE account_plan.account_id = account.account_id
                      AND from_ts <= extract(epoch FROM now()) * 1000
                    ORDER BY from_ts DESC LIMIT 1) AS plan_id
            FROM account ORDER BY account_id
        """)
        .fetchall()
    )


def assignments(connection: Connection, account_id: str | None = None) -> list[AssignmentRow]:
    """List the plans of an account, or of all (None), each account's oldest first."""
    return (
        connection.cursor(row_factory=class_row(AssignmentRow))
        .execute(
            "SELECT account_id, from_ts, plan_id FROM account_plan"
            " WHERE %(account)s::text IS NULL OR account_id = %(account)s ORDER BY account_id, from_ts",
            {"account": account_id},
        )
        .fetchall()
    )


def numberings(connection: Connection) -> list[NumberingRow]:
    """List the numbering plans by id."""
    return (
        connection.cursor(row_factory=class_row(NumberingRow))
        .execute(
            "SELECT numbering_id, name, country_code, international_prefixes, national_prefixes, national_number,"
            " bare_number, short_code, service_prefixes FROM numbering ORDER BY numbering_id"
        )
        .fetchall()
    )


def number_owners(connection: Connection) -> dict[str, str]:
    """Return the account that owns each number; numbers are in the form of `owner_key`."""
    return dict(connection.execute("SELECT number, account_id FROM account_number").fetchall())


def rates(connection: Connection, plan_id: str, *, ordered: bool = False) -> Iterator[RateRow]:
    """Read a plan's own rates of today in pieces; if `ordered`, by direction, prefix and time.

    The connection is busy until the last rate has been read.
    """
    query = f"{_RATES} ORDER BY direction, prefix, valid_from_ts" if ordered else _RATES
    return connection.cursor().stream(query, (plan_id,), binary=True, size=_PIECE)


def plans(connection: Connection) -> list[PlanRow]:
    """List plans by id."""
    return (
        connection.cursor(row_factory=class_row(PlanRow))
        .execute("SELECT plan_id, currency, base_plan_id, version FROM rate_plan ORDER BY plan_id")
        .fetchall()
    )


def require_account(connection: Connection, account_id: str) -> None:
    """Lock an account until the transaction ends; raises UsageError when there is no such account."""
    if (
        connection.execute("SELECT FROM account WHERE account_id = %s FOR NO KEY UPDATE", (account_id,)).fetchone()
        is None
    ):
        raise UsageError(f"there is no account {account_id!r}: add it first, tollbook account add {account_id}")


def require_plan(connection: Connection, plan_id: str) -> None:
    """Raise UsageError when there is no such plan."""
    if not scalar(connection, "SELECT EXISTS (SELECT FROM rate_plan WHERE plan_id = %s)", plan_id):
        raise UsageError(f"there is no rate plan {plan_id!r}: import it first, tollbook rates import FILE --plan …")


def require_numbering(connection: Connection, numbering_id: str) -> None:
    """Raise UsageError when there is no such numbering plan."""
    if not scalar(connection, "SELECT EXISTS (SELECT FROM numbering WHERE numbering_id = %s)", numbering_id):
        known = ", ".join(plan.numbering_id for plan in numberings(connection))
        raise UsageError(f"there is no numbering plan {numbering_id!r}: known are {known}")


def add_account(connection: Connection, account: Account) -> None:
    """Add an account, with its plan in force for all time.

    Raises UsageError when the account exists already, or its plan or numbering plan does not.
    """
    with store_errors(), connection.transaction():
        if account.plan_id is not None:
            require_plan(connection, account.plan_id)
        if account.numbering_id is not None:
            require_numbering(connection, account.numbering_id)
        added = connection.execute(
            "INSERT INTO account (account_id, name, numbering_id) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            (account.account_id, account.name, account.numbering_id),
        )
        if added.rowcount == 0:
            raise UsageError(f"the account {account.account_id!r} exists already")
        if account.plan_id is not None:
            connection.execute(
                "INSERT INTO account_plan (account_id, from_ts, plan_id) VALUES (%s, 0, %s)",
                (account.account_id, account.plan_id),
            )
        raise_version(connection)


def add_numbers(connection: Connection, account_id: str, numbers: Iterable[str]) -> int:
    """Assign numbers to an account, and return how many: a number that is written in two ways is one.

    Raises UsageError when the account does not exist or another owns one of them, also in another form: 030 123456 of
    an account that dials as in Germany is +49 30 123456.
    """
    keys: set[str] = set()
    with store_errors(), connection.transaction():
        require_account(connection, account_id)
        raise_version(connection)  # first: of two that add one number at once, the second sees the other's
        owned = _owned_readings(connection)
        plan = _numbering_plans(connection).get(account_id)
        for number in numbers:
            keys.add(owner_key(number))
            for reading in readings_of(number, plan):
                key, owner_id = owned.get(reading, (number, account_id))
                if owner_id != account_id:
                    raise UsageError(
                        f"{number} belongs to {owner_id}, which has it as {key}: no number was added; `tollbook account"
                        f" number remove {owner_id} {key}` takes it away"
                    )
            owner = connection.execute(
                "INSERT INTO account_number (number, account_id) VALUES (%s, %s)"
                " ON CONFLICT (number) DO UPDATE SET number = excluded.number RETURNING account_id",
                (owner_key(number), account_id),
            ).fetchone()
            if owner and owner[0] != account_id:
                raise UsageError(f"{number} belongs to {owner[0]}: no number was added")
    return len(keys)


def _owned_readings(connection: Connection) -> dict[str, tuple[str, str]]:
    """Return the number and its owner by each reading of the numbers that are owned."""
    plans = _numbering_plans(connection)
    return {
        reading: (number, owner)
        for number, owner in number_owners(connection).items()
        for reading in readings_of(number, plans.get(owner))
    }


def _numbering_plans(connection: Connection) -> dict[str, NumberingPlan]:
    """Return how each account dials that has a numbering plan."""
    found = {row.numbering_id: NumberingPlan(row) for row in numberings(connection)}
    return {row.account_id: found[row.numbering_id] for row in accounts(connection) if row.numbering_id}


def remove_numbers(connection: Connection, account_id: str, numbers: Iterable[str]) -> int:
    """Take numbers from an account, and return how many; raises UsageError when one of them is not its own.

    Calls that were recorded keep their account.
    """
    removed = 0
    with store_errors(), connection.transaction():
        require_account(connection, account_id)
        for key, number in {owner_key(number): number for number in numbers}.items():
            found = connection.execute(
                "DELETE FROM account_number WHERE number = %s AND account_id = %s", (key, account_id)
            )
            if not found.rowcount:
                raise UsageError(f"{number} does not belong to {account_id}: no number was removed")
            removed += 1
        raise_version(connection)
    return removed
