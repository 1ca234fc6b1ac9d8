"""How a number that a request filters by can be written, by the numbering plan of the account that is read."""

from collections.abc import Callable, Collection

from export_app.auth.identity import Identity
from export_app.database import Database
from tollbook.model.accounts import OneAccount
from tollbook.model.numbering import spellings_of
from tollbook.store.tariffs.account_profile import read_numbering


def speller(database: Database, identity: Identity) -> Callable[[str | None, str], Collection[str]]:
    """Return a function that lists the spellings of a number, for the account that an operator names, if one does.

    It reads the plan when it is called; without an account there is none. It raises StoreUnavailable, and ApiError
    where the key may not name an account.
    """

    def spell(account_id: str | None, number: str) -> Collection[str]:
        accounts = identity.accounts_of(account_id)
        if not isinstance(accounts, OneAccount):
            return spellings_of(number, None)
        with database.looking_up() as connection:
            return spellings_of(number, read_numbering(connection, accounts))

    return spell
