"""A database with accounts and a deck, and who asks for its calls."""

from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from rating.deck_csv import parse_deck
from tests.integration.export_app.detail.explained import Get
from tollbook.store import keys
from tollbook.store.database import Connection
from tollbook.store.tariffs import tariffs
from tollbook.store.tariffs.deck_import import replace_rates

DECK = """direction,prefix,name,per_min,connection_fee,increment
outbound,1,US and Canada,0.012,0.001,60/6
outbound,80,Premium carrier,0.05,0.01,1/1
inbound,,Any inbound,0.005,0,60/60
"""


@pytest.fixture
def accounts(database: Connection) -> Connection:
    """A database with accounts and a deck."""
    database.autocommit = True
    replace_rates(database, "retail", "EUR", parse_deck([("", DECK.splitlines(keepends=True))]))
    for account_id in ("acct_alpha", "acct_beta"):
        tariffs.add_account(database, tariffs.Account(account_id=account_id, name=account_id, plan_id="retail"))
    return database


@pytest.fixture
def get(client: FlaskClient, accounts: Connection) -> Get:
    """Ask for a call with alpha's key, the operator's, or another account's."""
    secrets = {
        "alpha": keys.create(accounts, account_id="acct_alpha", scopes=["cdr"])[1],
        "beta": keys.create(accounts, account_id="acct_beta", scopes=["cdr"])[1],
        "operator": keys.create(accounts, account_id=None, scopes=["operator"])[1],
        "stats": keys.create(accounts, account_id="acct_alpha", scopes=["stats"])[1],
    }

    def ask(call_id: str, query: str = "", *, who: str = "operator") -> TestResponse:
        path = f"/v1/calls/{quote(call_id, safe='')}"
        return client.get(f"{path}?{query}" if query else path, headers={"x-api-key": secrets[who]})

    return ask
