"""What an account may know of itself: its name and zone, how it dials, and the numbers that it owns."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import class_row

from tollbook.model.accounts import Accounts, OneAccount
from tollbook.model.numbering import NumberingPlan, NumberingRow
from tollbook.store.database import Connection, store_errors


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountProfile:
    """An account. `zone`: of its statements, None: as the settings say. `numbering_id`: its numbering plan, if any."""

    account_id: str
    name: str
    disabled: bool
    zone: str | None
    numbering_id: str | None
    created_ts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnedNumber:
    """A number in the form of `tollbook.model.numbers.owner_key`, and the account that owns it."""

    number: str
    account_id: str


def read_profile(connection: Connection, account: OneAccount) -> AccountProfile | None:
    """Read an account; None: there is no such account. Call inside `row_security.reading`; raises StoreUnavailable."""
    with store_errors():
        return (
            connection.cursor(row_factory=class_row(AccountProfile))
            .execute(
                "SELECT account_id, account.name, disabled_at IS NOT NULL AS disabled, zone, numbering_id,"
                " (extract(epoch FROM created_at) * 1000)::bigint AS created_ts"
                " FROM account LEFT JOIN account_billing USING (account_id) WHERE account_id = %s",
                (account.account_id,),
            )
            .fetchone()
        )


def read_numbers(connection: Connection, accounts: Accounts, *, after: str, limit: int) -> Sequence[OwnedNumber]:
    """Read up to `limit` numbers of these accounts that sort after a text, in their order; as `read_profile`."""
    account_id = accounts.account_id if isinstance(accounts, OneAccount) else None
    with store_errors():
        return (
            connection.cursor(row_factory=class_row(OwnedNumber))
            .execute(
                'SELECT number, account_id FROM account_number WHERE number COLLATE "C" > %(after)s'
                " AND (%(account)s::text IS NULL OR account_id = %(account)s)"
                ' ORDER BY number COLLATE "C" LIMIT %(limit)s',
                {"after": after, "account": account_id, "limit": limit},
            )
            .fetchall()
        )


def read_numbering(connection: Connection, account: OneAccount) -> NumberingPlan | None:
    """Return the numbering plan by which an account dials, if it has one; raises StoreUnavailable."""
    with store_errors():
        row = (
            connection.cursor(row_factory=class_row(NumberingRow))
            .execute(
                "SELECT numbering_id, numbering.name, country_code, international_prefixes, national_prefixes,"
                " national_number, bare_number, short_code, service_prefixes"
                " FROM account JOIN numbering USING (numbering_id) WHERE account_id = %s",
                (account.account_id,),
            )
            .fetchone()
        )
    return None if row is None else NumberingPlan(row)
