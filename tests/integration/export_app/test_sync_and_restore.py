"""A cursor of a restored or copied database is refused, and the client that begins anew ends with the truth."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from export_app.app import create_app
from export_app.context import Services
from tests.archiving import stored
from tests.databases import dump, on_server, restore, store
from tests.factories import call
from tests.integration.export_app.conftest import Ask
from tests.integration.export_app.sync_clients import SyncClient
from tollbook.config import Settings
from tollbook.embedded import embedded_postgres
from tollbook.model.record import COLUMNS
from tollbook.store import keys
from tollbook.store.database import Connection, connect
from tollbook.store.history import recognise, remember
from tollbook.store.schema import upgrade
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY


@contextmanager
def asking(url: str, data_dir: Path, key: str) -> Iterator[Ask]:
    """The API of a database, which begins as `tollbook serve` does."""
    with connect(url, name="test", autocommit=True) as connection:
        recognise(connection, data_dir)
    services = Services.from_settings(Settings(database_url=SecretStr(url), data_dir=data_dir))
    services.open()
    client = create_app(services).test_client()
    yield lambda **asked: client.get(
        "/v1/calls", query_string={name: str(value) for name, value in asked.items()}, headers={"x-api-key": key}
    )
    services.close()


def now_ms(connection: Connection) -> int:
    row = connection.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint").fetchone()
    assert row
    return row[0]


def put(url: str, *names: str) -> None:
    with connect(url, name="listener", autocommit=True) as connection:
        store(connection, *(call(name) for name in names), changed_now=True)


def has_the_truth(client: SyncClient, connection: Connection) -> bool:
    place = COLUMNS.index("call_id")
    return sorted(key.call_id for key in client.calls) == sorted(str(row[place]) for row in stored(connection))


@pytest.fixture
def key(database_url: str) -> str:
    """A key of acme, which a copy of the database knows too."""
    with connect(database_url, name="test", autocommit=True) as connection:
        tariffs.add_account(connection, tariffs.Account(account_id="acme", name="acme", plan_id=None))
        return keys.create(connection, account_id="acme", scopes=["cdr"])[1]


@pytest.fixture
def copy_url(postgres_url: str) -> Iterator[str]:
    """The URL of a database that is to be made, on the same server."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield on_server(postgres_url, "sync_copy")
        connection.execute("DROP DATABASE sync_copy WITH (FORCE)")


@contextmanager
def server_folder() -> Iterator[Path]:
    """A folder for a server of its own, outside pytest's, which it may not enter."""
    with tempfile.TemporaryDirectory(prefix="tollbook-tests-") as folder:
        yield Path(folder)


@pytest.fixture
def other_server_url() -> Iterator[str]:
    """The URL of an empty database on another server, whose transaction ids are far behind."""
    with server_folder() as folder, embedded_postgres(folder, fsync=False) as url:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE ROLE tollbook_api")
        yield url


def transactions(url: str, *, until: int) -> int:
    """Spend transactions until one has this id or a greater one; return its id."""
    with psycopg.connect(url, autocommit=True) as connection:
        while True:
            ((spent,),) = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchall()
            if spent >= until:
                return spent


def begins_anew(url: str, data_dir: Path, key: str, cursor: str) -> None:
    """Sync with a cursor of the original and what came after it, through two more changes."""
    with connect(url, name="test", autocommit=True) as connection, asking(url, data_dir, key) as ask:
        client = SyncClient(ask=ask, now_ms=lambda: now_ms(connection), cursor=cursor, limit=2)
        client.sync()
        assert client.resets == ["sync_reset"]
        assert has_the_truth(client, connection)
        put(url, "after the copy", "a2")
        client.sync()
        assert has_the_truth(client, connection)
        connection.execute(
            "UPDATE call_cdr SET billsec = 7, changed = DEFAULT, updated_ts = DEFAULT WHERE call_id = 'a1'"
        )
        client.sync()
        assert [seconds for key, (_, seconds) in client.calls.items() if key.call_id == "a1"] == [7]
        assert client.resets == ["sync_reset"]


def synced(url: str, data_dir: Path, key: str) -> str:
    """Return the cursor of a sync of this database."""
    with connect(url, name="test", autocommit=True) as connection, asking(url, data_dir, key) as ask:
        client = SyncClient(ask=ask, now_ms=lambda: now_ms(connection))
        client.sync()
        assert client.cursor
        return client.cursor


@pytest.mark.parametrize("where", ["copy_url", "other_server_url"])
def test_a_restored_dump(
    database_url: str, postgres_url: str, key: str, tmp_path: Path, where: str, request: pytest.FixtureRequest
) -> None:
    """On the same server, and on one whose transaction ids are lower than those of the restored rows."""
    transactions(database_url, until=2000)
    put(database_url, "a1", "a2")
    synced(database_url, tmp_path / "data", key)
    dump(database_url, tmp_path / "dump")
    put(database_url, "lost")
    cursor = synced(database_url, tmp_path / "data", key)
    restored_url = request.getfixturevalue(where)
    if where == "copy_url":
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE sync_copy")
    restore(restored_url, tmp_path / "dump")
    begins_anew(restored_url, tmp_path / "new", key, cursor)
    assert synced(database_url, tmp_path / "data", key)


def test_restored_rows_do_not_hide_changes_when_the_ids_reach_theirs(
    database_url: str, other_server_url: str, key: str, tmp_path: Path
) -> None:
    """They were written long before, with ids that are greater than those of changes made since."""
    transactions(database_url, until=2000)
    put(database_url, "a1", "a2")
    with connect(database_url, name="test", autocommit=True) as connection:
        connection.execute("UPDATE call_cdr SET updated_ts = updated_ts - %s", (MS_PER_DAY,))
    last = transactions(database_url, until=2100)
    synced(database_url, tmp_path / "data", key)
    dump(database_url, tmp_path / "dump")
    restore(other_server_url, tmp_path / "dump")
    with (
        connect(other_server_url, name="test", autocommit=True) as connection,
        asking(other_server_url, tmp_path / "new", key) as ask,
    ):
        assert ask(updated_since=now_ms(connection) - 60_000).get_json()["code"] == "too_long_ago"
        began_ms = now_ms(connection)
        put(other_server_url, "since")
        transactions(other_server_url, until=last + 1000)
        put(other_server_url, "and later")
        found = ask(updated_since=began_ms, fields="call_id").get_json()["rows"]
    assert {"since", "and later"} <= {row["call_id"] for row in found}


def test_a_copy_by_template(database_url: str, postgres_url: str, key: str, copy_url: str, tmp_path: Path) -> None:
    """It has the transaction ids of its own server, and still another history."""
    put(database_url, "a1", "a2")
    cursor = synced(database_url, tmp_path / "data", key)
    with connect(database_url, name="test") as connection:
        original = sql.Identifier(connection.info.dbname)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE sync_copy TEMPLATE {} STRATEGY file_copy").format(original))
    begins_anew(copy_url, tmp_path / "new", key, cursor)


def test_a_physical_copy_that_takes_the_place_of_the_original() -> None:
    """It knows nothing of what it lacks: the data directory does, and, without that, the cursor itself."""
    with server_folder() as folder:
        data, present, yesterday = folder / "tollbook", folder / "postgresql", folder / "yesterday"
        with embedded_postgres(folder, fsync=False) as url:
            upgrade(url)
            with connect(url, name="test", autocommit=True) as connection:
                tariffs.add_account(connection, tariffs.Account(account_id="acme", name="acme", plan_id=None))
                key = keys.create(connection, account_id="acme", scopes=["cdr"])[1]
            put(url, "a1", "a2")
        subprocess.run(["cp", "-a", present, yesterday], check=True)
        with embedded_postgres(folder, fsync=False) as url:
            for number in range(20):
                put(url, f"lost {number}")
            with connect(url, name="test", autocommit=True) as connection:
                recognise(connection, data)
                remember(connection, data)
            cursor = synced(url, data, key)
        shutil.rmtree(present)
        yesterday.rename(present)
        with embedded_postgres(folder, fsync=False) as url:
            with asking(url, folder / "another", key) as ask:
                assert ask(cursor=cursor).get_json()["code"] == "sync_reset"
            begins_anew(url, data, key, cursor)
