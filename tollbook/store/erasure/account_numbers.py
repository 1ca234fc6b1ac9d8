"""The numbers that an erasure takes from the accounts that own them."""

from collections.abc import Mapping
from uuid import UUID

from tollbook.store.database import Connection, store_errors
from tollbook.store.erasure.receipts import add_counts
from tollbook.store.tariffs.tariffs import raise_version


def remove_numbers(connection: Connection, erasure_id: UUID, owned: Mapping[str, str]) -> None:
    """Take numbers, by `owner_key`, from the accounts that own them: from these and no others."""
    with store_errors(), connection.transaction():
        removed = connection.execute(
            "DELETE FROM account_number WHERE (number, account_id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))",
            (list(owned), list(owned.values())),
        ).rowcount
        if removed:
            raise_version(connection)
            add_counts(connection, erasure_id, {"owned numbers": removed})
