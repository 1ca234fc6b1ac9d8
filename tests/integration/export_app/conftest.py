"""The application over a fresh database with two accounts, and a way to store calls."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import TestResponse

from export_app.app import create_app
from export_app.context import Services
from tollbook.config import Settings
from tollbook.model.charge import Price, PricedCharge
from tollbook.model.record import Row
from tollbook.store import keys
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY

START = 1_790_000_000_000

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
    """Return a function that stores a call: complete, answered, outbound, a minute long, of acme, unless changed."""
    partitions = Partitions()

    def write(call_id: str, connection: Connection = accounts, **changed: object) -> None:
        start_ts = changed.pop("start_ts", START)
        assert isinstance(start_ts, int)
        fields: dict[str, object] = {
            "switch": "fs1", "call_id": call_id, "account_id": "acme", "direction": "outbound", "from_num": "1001",
            "to_num": "+4930123456", "start_ts": start_ts, "answer_ts": start_ts + 4000, "end_ts": start_ts + 64_000,
            "duration_sec": 64, "billsec": 60, "answered": 1, "disposition": "answered",
            "hangup_cause": "NORMAL_CLEARING", "queue_id": None, "agent_id": None, "estimated": False, "parts": None,
        }  # fmt: skip
        row = Row(**fields | changed)
        partitions.ensure(connection, call_days={start_ts // MS_PER_DAY}, leg_days=())
        part = PricedCharge(direction=row.direction, number=row.to_num, seconds=60, cost_micros=21_000)
        price = Price(cost_micros=21_000, parts=(part,), currency="EUR") if row.end_ts is not None else None
        call_rows.upsert(connection, [(row, price)])

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
    """Settings with this test's database and a data directory of its own."""
    return Settings(database_url=SecretStr(database_url), data_dir=tmp_path)


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
