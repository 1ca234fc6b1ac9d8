"""What an account's statements say of the account itself, where it differs from the settings."""

from dataclasses import asdict, dataclass
from typing import Final

from psycopg.rows import class_row

from tollbook.store.database import Connection, limit_transaction, store_errors
from tollbook.store.tariffs.tariffs import require_account


@dataclass(frozen=True, kw_only=True, slots=True)
class Billing:
    """An account as its statements address it; `zone` and `taxes` None: as the settings say. `address`: its lines."""

    name: str
    address: list[str]
    tax_id: str
    zone: str | None
    taxes: str | None


def read(connection: Connection, account_id: str) -> Billing | None:
    """Read how an account is addressed, by its own name if nothing was set; None: there is no such account."""
    with store_errors():
        return (
            connection.cursor(row_factory=class_row(Billing))
            .execute(
                "SELECT coalesce(billing.name, account.name) AS name, coalesce(billing.address, '{}') AS address,"
                " coalesce(billing.tax_id, '') AS tax_id, billing.zone, billing.taxes"
                " FROM account LEFT JOIN account_billing AS billing USING (account_id) WHERE account_id = %s",
                (account_id,),
            )
            .fetchone()
        )


#: Set a field back to what the settings say. No zone and no taxes are written so.
AS_SETTINGS: Final = "-"


@dataclass(frozen=True, kw_only=True, slots=True)
class BillingChange:
    """The fields to set; None leaves one as it is. AS_SETTINGS is for `zone` and `taxes`; `taxes` of '' are none."""

    name: str | None = None
    address: list[str] | None = None
    tax_id: str | None = None
    zone: str | None = None
    taxes: str | None = None


def change(connection: Connection, account_id: str, new: BillingChange) -> None:
    """Set some of an account's fields, from the next statement on; raises UsageError when there is no such account."""
    with store_errors(), connection.transaction():
        limit_transaction(connection)
        require_account(connection, account_id)
        connection.execute("INSERT INTO account_billing (account_id) VALUES (%s) ON CONFLICT DO NOTHING", (account_id,))
        connection.execute(
            "UPDATE account_billing SET name = coalesce(%(name)s, name), address = coalesce(%(address)s, address),"
            " tax_id = coalesce(%(tax_id)s, tax_id), zone = nullif(coalesce(%(zone)s, zone), %(as_settings)s),"
            " taxes = nullif(coalesce(%(taxes)s, taxes), %(as_settings)s) WHERE account_id = %(account)s",
            {"account": account_id, "as_settings": AS_SETTINGS, **asdict(new)},
        )
