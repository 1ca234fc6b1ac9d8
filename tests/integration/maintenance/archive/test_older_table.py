"""An archive from before a column was added: whatever reads it finds NULL there, until a run adds the column."""

import json
from pathlib import Path

import pytest
from psycopg import sql
from pyarrow import parquet

from maintenance.compaction.run import compact_archive
from maintenance.prune.run import prune_days
from maintenance.restore.run import restore_days
from tests.archiving import archive_as_before, archived, stored
from tests.commands import Tollbook
from tests.databases import store
from tests.factories import FOR_EVER_MS, START_MS, call
from tollbook.archive.answered import answered_calls
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.lookup import find_calls
from tollbook.archive.older_table import missing_columns
from tollbook.archive.reader import Archive
from tollbook.archive.schema import ARCHIVE_COLUMNS, SCHEMA, TABLE
from tollbook.config import Settings
from tollbook.model.accounts import EveryAccount
from tollbook.model.selection import Selection
from tollbook.model.tiers import KEYED_COLUMNS
from tollbook.store.database import Connection
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY

#: The first column that an older archive lacks: it lacks all that follow, too.
FIRST_ADDED = ("currency", "hung_up_by", "trunk_root")
EVERYTHING = Selection(accounts=EveryAccount(), since=0, until=FOR_EVER_MS)


@pytest.fixture(params=FIRST_ADDED)
def added(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The last of our columns, from one of those on that were added later."""
    return ARCHIVE_COLUMNS[ARCHIVE_COLUMNS.index(request.param) :]


@pytest.fixture
def older(local_settings: Settings, database: Connection, added: tuple[str, ...]) -> Settings:
    """Two files of a month that is closed, in a table that lacks the last of our columns."""
    for name in ("a", "b"):
        store(database, call(name, start_ts=START_MS, cost_micros=None if name == "b" else 21_000), with_legs=True)
        archive_as_before(local_settings, database, added[0])
    return local_settings


def in_full(connection: Connection) -> list[tuple[object, ...]]:
    """All that is archived of each row, whatever the archive lacks but the currency."""
    columns = [name for name in ARCHIVE_COLUMNS if name != "currency"]
    return connection.execute(
        sql.SQL("SELECT {} FROM call_cdr ORDER BY call_id").format(sql.SQL(", ").join(map(sql.Identifier, columns)))
    ).fetchall()


def column_names(settings: Settings) -> list[str]:
    with open_catalog(settings) as catalog:
        return catalog.load_table(TABLE).schema().column_names


def test_every_reader_finds_null_and_changes_nothing(
    older: Settings, database: Connection, added: tuple[str, ...]
) -> None:
    """A page of the API, a re-rate's rows, a look-up: none needs a run that has rows to archive."""
    before = column_names(older)
    assert not set(added) & set(before)
    assert archived(older) == stored(database)
    pages = Archive(older, lambda: False)
    columns = (*KEYED_COLUMNS, *added)
    nothing = (None,) * len(added)
    assert [row[-len(added) :] for row in pages.read_page(EVERYTHING, 10, frozenset(), columns)] == [nothing] * 2
    pages.close()
    with open_catalog(older) as catalog:
        table = load_calls(catalog)
        assert table is not None
        span = {"accounts": None, "since_ms": 0, "until_ms": FOR_EVER_MS}
        slices = answered_calls(table, **span, unrated=False)
        found = {row["call_id"]: tuple(row[name] for name in added) for rows in slices for row in rows}
        assert found == {"a": nothing, "b": nothing}
        assert [row["call_id"] for rows in answered_calls(table, **span, unrated=True) for row in rows] == ["b"]
        assert len(find_calls(table, {"a", "b"}, first_ms=0, last_ms=FOR_EVER_MS)) == 2
        assert table.schema().as_struct() == SCHEMA.as_struct()
    assert column_names(older) == before


def test_the_commands_work_before_and_after_the_columns_are_added(
    older: Settings, database: Connection, tollbook: Tollbook, added: tuple[str, ...], tmp_path: Path
) -> None:
    """Prune, rerate, query, verify and export; then a compaction adds the columns, and all is still there."""
    today = START_MS // MS_PER_DAY + 60
    tariffs.add_account(database, tariffs.Account(account_id="acme", name="Acme", plan_id=None))
    expected = stored(database)
    assert prune_days(older, today=today).calls == 2
    folder = {"data_dir": str(older.data_dir)}

    def printed() -> list[dict[str, object]]:
        done = tollbook("archive", "query", "--all", **folder)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def checked(name: str) -> int:
        """Verify the archive, export the account, and return how many calls were handed over."""
        verified = tollbook("archive", "verify", **folder)
        assert verified.returncode == 0, verified.stdout
        done = tollbook("account", "export", "acme", "--to", str(tmp_path / name), "--format", "parquet", **folder)
        assert done.returncode == 0, done.stderr
        return sum(parquet.read_table(file).num_rows for file in (tmp_path / name).glob("*.parquet"))

    assert checked("before") == 2
    assert [row["call_id"] for row in printed()] == [record[0] for record in expected]
    looked = tollbook("rerate", "--since", "2026-01-01", "--dry-run", **folder)
    assert looked.returncode == 0, looked.stderr
    assert "2 answered calls looked at, 1 would change" in looked.stdout
    assert not set(added) & set(column_names(older))
    assert compact_archive(older).compacted.rows == 2
    assert column_names(older) == SCHEMA.column_names
    assert archived(older) == expected
    assert checked("after") == 2
    assert tollbook("rerate", "--since", "2026-01-01", **folder).returncode == 0
    assert tollbook("archive", "run", "--now", **folder).stdout.startswith("archived: 0 rows appended, 1 replaced")
    assert {row["call_id"]: row["cost_micros"] for row in printed()} == {"a": None, "b": None}


@pytest.mark.parametrize("compacted", [False, True])
def test_its_days_come_back_as_they_were(older: Settings, database: Connection, compacted: bool) -> None:
    day, before = START_MS // MS_PER_DAY, in_full(database)
    assert prune_days(older, today=day + 60).calls == 2
    if compacted:
        compact_archive(older)
    assert restore_days(older, [day]).restored.rows == 2
    assert in_full(database) == before


def test_a_table_of_another_tool_gets_no_columns(older: Settings, added: tuple[str, ...]) -> None:
    """Only a table that begins as ours does is taken for an older one."""
    with open_catalog(older) as catalog:
        table = catalog.load_table(TABLE)
        assert [column.name for column in missing_columns(table)] == list(added)
        with table.update_schema() as change:
            change.rename_column("parts", "charges")
        assert missing_columns(table) == ()
