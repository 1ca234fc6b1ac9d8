"""`db upgrade`: once or a hundred times, alone or together, the schema is the same; others' schemas are refused."""

import threading
from collections.abc import Iterator

import psycopg
import pytest

from tollbook.errors import SchemaError, StoreUnavailable
from tollbook.store.database import SCHEMA_REVISION, check_schema, connect
from tollbook.store.schema import upgrade

SHAPE = """
    SELECT table_name, column_name, data_type, is_nullable, column_default
    FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2
"""


@pytest.fixture
def empty_url(postgres_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database without any schema."""
    name = f"empty_{abs(hash(request.node.name))}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield postgres_url.replace("@/postgres?", f"@/{name}?")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def shape(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(SHAPE).fetchall()


def check(url: str) -> None:
    with connect(url, name="test") as connection:
        check_schema(connection)


def set_revision(url: str, revision: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", (revision,))


def test_an_upgrade_makes_the_schema_that_this_version_knows(empty_url: str) -> None:
    with pytest.raises(SchemaError, match=r"schema is none, this version needs .*: run `tollbook db upgrade`"):
        check(empty_url)
    upgrade(empty_url)
    check(empty_url)


def test_an_upgrade_again_changes_nothing(database_url: str) -> None:
    before = shape(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO account (account_id, name) VALUES ('acme', 'Acme')")
    upgrade(database_url)
    upgrade(database_url.replace("postgresql://", "postgres://"))
    assert shape(database_url) == before
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT account_id FROM account").fetchall() == [("acme",)]


def test_upgrades_at_once_follow_each_other(empty_url: str, database_url: str) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            upgrade(empty_url)
        except BaseException as error:  # noqa: BLE001 - shown below
            failures.append(error)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert failures == []
    check(empty_url)
    assert shape(empty_url) == shape(database_url)


def test_a_newer_schema_is_refused_by_all(database_url: str) -> None:
    """By the processes and by `db upgrade`, which must not touch what it does not know."""
    set_revision(database_url, "9999")
    with pytest.raises(SchemaError, match=r"schema is 9999.*older than the database: install the newer one"):
        check(database_url)
    with pytest.raises(SchemaError, match="9999"):
        upgrade(database_url)


def test_an_older_schema_asks_for_the_upgrade(database_url: str) -> None:
    set_revision(database_url, "0000")
    with pytest.raises(SchemaError, match=f"schema is 0000, this version needs {SCHEMA_REVISION}: run `tollbook db up"):
        check(database_url)


def test_a_version_table_without_a_version_asks_for_the_upgrade(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM alembic_version")
    with pytest.raises(SchemaError, match="schema is none"):
        check(database_url)


def test_a_database_that_is_not_there_is_unavailable(postgres_url: str) -> None:
    with pytest.raises(StoreUnavailable, match="no_such_one"):
        upgrade(postgres_url.replace("@/postgres?", "@/no_such_one?"))


def test_an_upgrade_that_fails_leaves_nothing(empty_url: str) -> None:
    """Somebody else's table of the same name stands there: an error of ours, and not half a schema."""
    with psycopg.connect(empty_url) as connection:
        connection.execute("CREATE TABLE archive_outbox (x int)")
    with pytest.raises(StoreUnavailable, match="archive_outbox"):
        upgrade(empty_url)
    assert {row[0] for row in shape(empty_url)} <= {"archive_outbox", "alembic_version"}
    with pytest.raises(SchemaError):
        check(empty_url)
