"""The application over a fresh database with two accounts, and a way to store calls."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import TestResponse

from export_app.app import create_app
from export_app.context import Services
from tests.databases import store
from tests.factories import call
from tests.integration.export_app.api_requests import Get
from tollbook.config import Settings
from tollbook.store import keys
from tollbook.store.database import Connection
from tollbook.store.tariffs import tariffs

Ask = Callable[..., TestResponse]
Put = Callable[..., None]


@pytest.fixture
def accounts(database: Connection) -> Connection:
    """A database with the accounts acme and other."""
    database.autocommit = True
    for account_id in ("acme", "other"):
        tariffs.add_account(database, tariffs.Account(account_id=account_id, name=account_id, plan_id=None))
    return database


@pytest.fixture
def put(accounts: Connection) -> Put:
    """Return a function that stores a call of acme: a whole one, but for the fields that are given."""

    def write(call_id: str, connection: Connection = accounts, **changed: Any) -> None:
        store(connection, call(call_id, **changed), changed_now=True)

    return write


@pytest.fixture
def key(accounts: Connection) -> str:
    """A key of acme."""
    return keys.create(accounts, account_id="acme", scopes=["cdr"])[1]


@pytest.fixture
def other_key(accounts: Connection) -> str:
    """A key of other."""
    return keys.create(accounts, account_id="other", scopes=["cdr"])[1]


@pytest.fixture
def operator_key(accounts: Connection) -> str:
    """A key that can read all calls."""
    return keys.create(accounts, account_id=None, scopes=["operator"])[1]


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings with this test's database, a data directory of its own, and room for all that it asks in a minute."""
    return Settings(database_url=SecretStr(database_url), data_dir=tmp_path, rate_limit=1_000_000)


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    """The services of the application, open during the test."""
    services = Services.from_settings(settings)
    services.open()
    yield services
    services.close()


@pytest.fixture
def client(services: Services) -> FlaskClient:
    """A client of the application."""
    return create_app(services).test_client()


@pytest.fixture
def ask(client: FlaskClient, key: str) -> Ask:
    """Return a function that requests /v1/calls with acme's key, or another, and parameters by name."""

    def get(secret: str | None = key, path: str = "/v1/calls", **parameters: object) -> TestResponse:
        headers = {} if secret is None else {"x-api-key": secret}
        return client.get(path, query_string={name: str(value) for name, value in parameters.items()}, headers=headers)

    return get


@pytest.fixture
def get(client: FlaskClient, key: str) -> Get:
    """Return a function that requests /v1/calls, or another path, with acme's key, or another."""

    def ask(query: str = "", *, secret: str | None = key, path: str = "/v1/calls") -> TestResponse:
        headers = {} if secret is None else {"x-api-key": secret}
        return client.get(f"{path}?{query}" if query else path, headers=headers)

    return ask
