"""An account on a plan with rates."""

import pytest

from tests.integration.rating.imports import put
from tollbook.store.database import Connection
from tollbook.store.tariffs import tariffs
from tollbook.store.tariffs.tariffs import Account


@pytest.fixture
def acme(database: Connection) -> Connection:
    """A database with the account acme on the plan retail."""
    database.autocommit = True
    put(database, "retail", "44,100", "49,200", "33,300")
    tariffs.add_account(database, Account(account_id="acme", name="Acme", plan_id="retail"))
    return database
