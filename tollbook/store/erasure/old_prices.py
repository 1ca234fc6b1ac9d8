"""The former prices that an erasure removes: those of an account, and those whose charges name a number."""

from typing import Final
from uuid import UUID

from tollbook.model.numbers import SEPARATORS
from tollbook.store.database import Connection, store_errors
from tollbook.store.erasure.naming import NamedIn, RowTexts
from tollbook.store.erasure.receipts import add_counts

# Rows that are read at once.
_PIECE: Final = 5_000


def remove_old_prices(connection: Connection, erasure_id: UUID, account_id: str, until_ts: int) -> None:
    """Remove the prices that calls had while they were an account's, also of a call that is another's by now."""
    with store_errors(), connection.transaction():
        removed = connection.execute(
            "DELETE FROM price_history WHERE account_id = %s AND start_ts < %s", (account_id, until_ts)
        ).rowcount
        add_counts(connection, erasure_id, {"old prices": removed})


def remove_old_prices_naming(
    connection: Connection, erasure_id: UUID, digits: str, *, account_id: str | None, until_ts: int, named_in: NamedIn
) -> None:
    """Remove the old prices of a number's charges, also of a row that was joined into another; as `calls_naming`."""
    with store_errors(), connection.transaction():
        wanted = {"digits": digits, "separators": SEPARATORS, "account": account_id, "until": until_ts}
        rows = connection.execute(f"{_OLD_PRICES} FOR UPDATE", wanted).fetchall()
        places = [ctid for ctid, account, parts in rows if named_in(RowTexts(parts=parts), account)]
        connection.execute("DELETE FROM price_history WHERE ctid = ANY (%s::tid[])", (places,))
        add_counts(connection, erasure_id, {"old prices": len(places)})


def old_price_accounts(
    connection: Connection, digits: str, *, account_id: str | None, until_ts: int, named_in: NamedIn
) -> set[str | None]:
    """Return the accounts whose prices `remove_old_prices_naming` would remove. Call in autocommit."""
    wanted = {"digits": digits, "separators": SEPARATORS, "account": account_id, "until": until_ts}
    with store_errors():
        rows = connection.cursor().stream(_OLD_PRICES, wanted, size=_PIECE)
        return {account for _, account, parts in rows if named_in(RowTexts(parts=parts), account)}


_OLD_PRICES: Final = """
    SELECT ctid::text, account_id, parts::text FROM price_history
    WHERE strpos(translate(parts::text, %(separators)s, ''), %(digits)s) > 0
      AND start_ts < %(until)s AND (%(account)s::text IS NULL OR account_id = %(account)s)
"""
