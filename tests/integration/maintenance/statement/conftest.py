"""An account whose statements are issued: on local files, because a statement only reads the archive."""

from collections.abc import Iterator

import pytest

from tests.integration.maintenance.statement.months import Book
from tollbook.config import Settings
from tollbook.statements.issue import issuing
from tollbook.store.database import Connection
from tollbook.store.tariffs import tariffs


@pytest.fixture
def settings(local_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with an issuer."""
    return local_settings.model_copy(update={"issuer_name": "Tele GmbH"})


@pytest.fixture
def book(settings: Settings, database: Connection) -> Iterator[Book]:
    """The book of acme, beside which other has calls, too."""
    for account_id in ("acme", "other"):
        tariffs.add_account(database, tariffs.Account(account_id=account_id, name=account_id.title(), plan_id=None))
    with issuing(settings) as issuer:
        yield Book(settings, database, issuer)
