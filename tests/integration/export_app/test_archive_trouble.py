"""An archive that is away, broken or wrongly set up is reported, and never a short page."""

import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from export_app import outages
from export_app.app import create_app
from export_app.context import Services
from maintenance.archive.run import archive_calls
from maintenance.prune.run import prune_days
from tests.integration.export_app.calls_of_days import END, LATER, TODAY, api_key, made, put, wanted
from tollbook.archive.reader import Archive
from tollbook.config import Settings
from tollbook.errors import ArchiveError
from tollbook.model.accounts import OneAccount
from tollbook.model.record import Record
from tollbook.model.selection import Selection
from tollbook.store.database import Connection, connect
from tollbook.times import MS_PER_DAY


@pytest.fixture
def database(database_url: str) -> Iterator[Connection]:
    with connect(database_url, name="test", autocommit=True) as connection:
        yield connection


def test_an_archive_that_is_away_is_told_and_never_a_short_page(
    settings: Settings, database: Connection, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What PostgreSQL keeps is still served; a page that would reach into the archive is refused for now."""
    rows = made(100, first=LATER)
    put(database, rows)
    archive_calls(settings, now=True)
    prune_days(settings, today=TODAY)
    monkeypatch.setenv("PYICEBERG_CATALOG__TOLLBOOK__URI", "sqlite:////nowhere/catalog.db")
    answer = client.get("/v1/calls", headers={"x-api-key": api_key(database, "acme")})
    assert (answer.status_code, answer.json and answer.json["code"]) == (503, "archive_unavailable")
    assert answer.headers["Retry-After"]


@pytest.mark.parametrize(
    ("lost", "status", "ends"),
    [
        ("catalog", 503, "archived calls are served again"),
        ("archive/tollbook/calls/metadata", 500, "archived calls are served again"),
        ("archive/tollbook/calls/data", 500, "no request has needed a damaged file for a minute"),
    ],
)
def test_an_archive_that_cannot_be_read_is_logged_once_for_all_requests(
    settings: Settings,
    database: Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    lost: str,
    status: int,
    ends: str,
) -> None:
    """And once more when it can be read again; what each request got is in the access log."""
    (tmp_path / "catalog").mkdir()
    monkeypatch.setenv("PYICEBERG_CATALOG__TOLLBOOK__URI", f"sqlite:///{tmp_path}/catalog/catalog.db")
    monkeypatch.setenv("PYICEBERG_CATALOG__TOLLBOOK__WAREHOUSE", f"file://{tmp_path}/archive")
    put(database, made(100, first=LATER))
    archive_calls(settings, now=True)
    prune_days(settings, today=TODAY)
    monkeypatch.setattr(outages, "_SETTLE_S", 0.0)
    monkeypatch.setattr(outages, "_DAMAGE_SETTLE_S", 0.0)
    services = Services.from_settings(settings)
    services.open()
    client, headers = create_app(services).test_client(), {"x-api-key": api_key(database, "acme")}
    (tmp_path / lost).rename(tmp_path / "gone")
    assert {client.get("/v1/calls", headers=headers).status_code for _ in range(5)} == {status}
    (tmp_path / "gone").rename(tmp_path / lost)
    assert client.get("/v1/calls", headers=headers).status_code == 200
    services.close()
    lines = [record.getMessage() for record in caplog.records if record.name == "tollbook.serve"]
    assert [re.sub(r" (reason|lasted_s)=.*? (?=failures)| reason=.*", " ", line).strip() for line in lines] == [
        "cannot serve archived calls",
        f"{ends} failures=5",
    ]


def test_a_broken_archive_is_told_and_never_a_short_page(
    settings: Settings, database: Connection, client: FlaskClient
) -> None:
    """What PostgreSQL keeps is still served; a page that would reach into the archive is refused."""
    rows = made(500, first=LATER)
    put(database, rows)
    archive_calls(settings, now=True)
    prune_days(settings, today=TODAY)
    for path in (settings.data_dir / "archive").rglob("*.parquet"):
        path.unlink()
    headers = {"x-api-key": api_key(database, "acme")}
    answer = client.get("/v1/calls", headers=headers)
    assert (answer.status_code, answer.json and answer.json["code"]) == (500, "archive_damaged")
    younger = client.get("/v1/calls", query_string={"since": (TODAY - 29) * MS_PER_DAY}, headers=headers)
    assert (younger.status_code, younger.json and younger.json["ok"]) == (200, True)


def test_threads_share_one_catalog(settings: Settings, database: Connection) -> None:
    """Twelve threads ask at once, the first time: each gets its page, and a catalog is opened once."""
    rows = made(300)
    put(database, rows)
    archive_calls(settings, now=True)
    archive = Archive(settings, lambda: False)
    selection = Selection(accounts=OneAccount("acme"), since=0, until=END)
    pages, start = list[Sequence[Record]](), threading.Barrier(12)

    def read() -> None:
        start.wait(10)
        pages.append(archive.read_page(selection, 1000, frozenset()))

    threads = [threading.Thread(target=read) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert pages == [wanted(rows, lambda row: row.account_id == "acme")] * 12
    archive.close()


def test_wrong_settings_of_the_archive_are_an_archive_that_cannot_be_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYICEBERG_CATALOG__TOLLBOOK__TYPE", "nonsense")
    selection = Selection(accounts=OneAccount("acme"), since=0, until=END)
    with pytest.raises(ArchiveError, match="pyiceberg refuses the archive's settings"):
        Archive(settings, lambda: False).read_page(selection, 1, frozenset())
