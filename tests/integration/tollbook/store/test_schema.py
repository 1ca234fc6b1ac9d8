"""`db upgrade` makes the same schema run once or often, alone or concurrently, and refuses other schemas."""

import threading
from collections.abc import Iterator
from importlib.resources import files
from typing import LiteralString
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import CheckViolation

from tests.commands import Tollbook
from tests.databases import on_server
from tests.integration.tollbook.store.catalog import CATALOG, shape, values_of
from tollbook.errors import SchemaBehind, SchemaError, StoreUnavailable
from tollbook.model.record import COLUMNS
from tollbook.model.vocabulary import DIRECTIONS, DISPOSITIONS, HUNG_UP_BY
from tollbook.store import row_security
from tollbook.store.calls.columns import WRITTEN, type_of
from tollbook.store.database import SCHEMA_REVISION, Connection, check_schema, connect
from tollbook.store.schema import upgrade


@pytest.fixture
def empty_url(postgres_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database without any schema."""
    name = f"empty_{abs(hash(request.node.name))}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield on_server(postgres_url, name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


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


def test_schema_sql_is_the_sum_of_the_migrations(empty_url: str, database_url: str) -> None:
    """The catalogs agree: tables, columns, constraints, indexes, triggers, functions, policies, grants."""
    with psycopg.connect(empty_url) as connection:
        connection.execute(files("tollbook.store").joinpath("schema.sql").read_bytes())
    written, migrated = shape(empty_url), shape(database_url)
    assert all(written[kind] for kind in written if kind != "types")
    for kind in CATALOG:
        assert written[kind] - migrated[kind] == set(), f"{kind} of schema.sql that the migrations do not make"
        assert migrated[kind] - written[kind] == set(), f"{kind} that schema.sql lacks"


def test_the_checks_list_what_the_record_can_be(database: Connection) -> None:
    """Exactly the model's lists: one more value needs a migration, and this test fails without it."""
    assert values_of(database, "call_cdr_direction") == set(DIRECTIONS)
    assert values_of(database, "rate_direction_check") == set(DIRECTIONS)
    assert values_of(database, "call_cdr_disposition") == set(DISPOSITIONS)
    assert values_of(database, "call_cdr_hung_up_by") == set(HUNG_UP_BY)


@pytest.mark.parametrize(
    "wrong",
    [
        {"direction": "sideways"}, {"disposition": "ANSWERED"}, {"answered": 2}, {"billsec": -1}, {"cost_micros": -1},
        {"duration_sec": -1}, {"disposition": None}, {"billsec": None}, {"duration_sec": None}, {"revision": 0},
        {"end_ts": None}, {"answer_ts": None}, {"answered": 0}, {"cost_micros": None}, {"unrated": "no rate"},
        {"hung_up_by": "nobody"},
    ],
    ids=str,
)  # fmt: skip
def test_a_row_that_contradicts_itself_is_refused(database: Connection, wrong: dict[str, object]) -> None:
    """A complete call has all that its end decides, and a cost or a reason; a call that is up has none of them."""
    whole: dict[str, object] = {
        "start_ts": -1, "call_id": "a", "switch": "fs", "direction": "inbound", "from_num": "", "to_num": "",
        "answer_ts": 0, "end_ts": 1, "duration_sec": 0, "billsec": 0, "answered": 1, "disposition": "answered",
        "cost_micros": 0, "revision": 1,
    }  # fmt: skip
    up = dict.fromkeys(("end_ts", "duration_sec", "billsec", "disposition", "cost_micros"))
    put(database, whole)
    put(database, whole | {"call_id": "unrated", "cost_micros": None, "unrated": "no rate"})
    put(database, whole | up | {"call_id": "up", "revision": 0})
    with pytest.raises(CheckViolation, match="call_cdr"):
        put(database, whole | {"call_id": "wrong"} | wrong)


def put(connection: Connection, row: dict[str, object]) -> None:
    """Write a row as given."""
    insert = sql.SQL("INSERT INTO call_cdr ({}) VALUES ({})")
    names, values = map(sql.Identifier, row), map(sql.Placeholder, row)
    connection.execute(insert.format(sql.SQL(", ").join(names), sql.SQL(", ").join(values)), row)


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
    """The processes and `db upgrade` refuse it: an upgrade must not touch what it does not know."""
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
        upgrade(on_server(postgres_url, "no_such_one"))


def test_an_upgrade_that_fails_leaves_nothing(empty_url: str) -> None:
    """Another program's table with the same name gives one of our errors, and does not leave half a schema."""
    with psycopg.connect(empty_url) as connection:
        connection.execute("CREATE TABLE archive_outbox (x int)")
    with pytest.raises(StoreUnavailable, match="archive_outbox"):
        upgrade(empty_url)
    assert {row[0] for row in shape(empty_url)["relations"]} == {"archive_outbox"}
    with pytest.raises(SchemaError):
        check(empty_url)


def test_the_columns_of_the_model_are_those_of_the_table(database: Connection) -> None:
    """They agree in name, order and type: the public record first, then the other columns."""
    found = database.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = 'call_cdr'::regclass AND attnum > 0 ORDER BY attnum"
    ).fetchall()
    assert tuple(name for name, _ in found[: len(COLUMNS)]) == COLUMNS
    assert {column: type_of(column) for column in WRITTEN} == {n: t for n, t in found if n in WRITTEN}
    assert set(dict(found)) - set(WRITTEN) == {
        "revision",
        "prior_accounts",
        "changed",
        "updated_ts",
        "doubts",
        "trunk_legs",
    }


def test_several_hosts_are_tried_in_turn(database_url: str, tollbook: Tollbook) -> None:
    """`db upgrade` takes a URL with several hosts, in the query and before it, and passes over one that is away."""
    parts = conninfo_to_dict(database_url)
    folder, name = str(parts["host"]), parts["dbname"]
    for url in (
        f"postgresql://postgres@/{name}?host=/nowhere,{folder}",
        f"postgresql://postgres@%2Fnowhere,{quote(folder, safe='')}/{name}",
    ):
        done = tollbook("db", "upgrade", database_url=url)
        assert done.returncode == 0, done.stderr
    away = tollbook("db", "upgrade", database_url=f"postgresql://postgres@/{name}?host=/nowhere,/nothing")
    assert away.returncode == StoreUnavailable.exit_code
    assert "is PostgreSQL up?" in away.stderr


@pytest.mark.parametrize(
    "change",
    [
        "ALTER POLICY tollbook_api ON account USING (true)",
        "DROP POLICY tollbook_api ON account",
        "DROP POLICY tollbook_api ON account;"
        " CREATE POLICY tollbook_api ON account AS RESTRICTIVE FOR SELECT TO tollbook_api USING (true)",
        "DROP POLICY tollbook_api ON account; CREATE POLICY tollbook_api ON account TO tollbook_api USING (true)",
        "ALTER POLICY tollbook_api ON account TO PUBLIC",
        "COMMENT ON POLICY tollbook_api ON account IS 'tollbook, as an older version wrote it'",
        "ALTER TABLE account DISABLE ROW LEVEL SECURITY",
    ],
)
def test_a_changed_policy_does_not_stay(database_url: str, database: Connection, change: LiteralString) -> None:
    """Whatever an administrator or an older version left: `serve` refuses it, and `db upgrade` writes ours again."""
    before = shape(database_url)["policies"]
    row_security.check(database)
    database.execute(change)
    database.commit()
    with pytest.raises(SchemaBehind, match=r"policy on account: run `tollbook db upgrade`"):
        row_security.check(database)
    database.rollback()
    upgrade(database_url)
    row_security.check(database)
    assert shape(database_url)["policies"] == before


def test_an_upgrade_leaves_current_policies_alone(database_url: str, database: Connection) -> None:
    """It asks for no lock that an open report would delay, and behind which every INSERT would wait."""
    database.execute("SELECT count(*) FROM call_cdr, call_leg, account, account_number, price_history")
    upgrade(database_url)
    assert database.info.transaction_status.name == "INTRANS"
