"""A correction replaces every copy of its call that the archive has, and nothing else."""

import pytest

from maintenance.archive.table import ensure_table
from tests.archiving import archive_now, archived, stored, waiting
from tests.databases import store
from tests.factories import START_MS, call
from tollbook.archive._pyarrow import read_table
from tollbook.archive.catalog import open_catalog
from tollbook.config import Settings
from tollbook.model.call_key import CallKey
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection


def test_a_correction_replaces_a_call_that_was_under_another_account(settings: Settings, database: Connection) -> None:
    store(database, call("c1"), call("c2"), call("c3", None), call("untouched"))
    archive_now(settings)
    store(database, call("c1", cost_micros=99), call("c2", "beta"), call("c3", "acme", start_ts=START_MS), call("new"))
    assert archive_now(settings).startswith("archived: 1 rows appended, 3 replaced, 0 deleted")
    assert archived(settings) == stored(database)
    store(database, call("c2", "gamma"))
    store(database, call("c2", "delta"))
    archive_now(settings)
    assert archived(settings) == stored(database)


def test_a_correction_spares_a_later_call_of_the_same_id(settings: Settings, database: Connection) -> None:
    twice = [call(name, start_ts=start) for name in ("a", "b") for start in (START_MS, START_MS + 1)]
    store(database, *twice)
    archive_now(settings)
    # Each of the four matches one of the call_ids and one of the start_ts, but only two match both.
    store(database, call("a", cost_micros=1), call("b", start_ts=START_MS + 1, cost_micros=2))
    assert archive_now(settings).startswith("archived: 0 rows appended, 2 replaced, 0 deleted")
    assert archived(settings) == stored(database)


def test_a_deleted_row_leaves_the_archive(settings: Settings, database: Connection) -> None:
    store(database, call("c1"), call("c2"), call("moved"))
    archive_now(settings)
    store(database, call("moved", "beta"), call("never archived"))
    call_rows.delete(
        database,
        [CallKey(START_MS, "c1", "fs1"), CallKey(START_MS, "moved", "fs1"), CallKey(START_MS, "never archived", "fs1")],
    )
    assert archive_now(settings).startswith("archived: 0 rows appended, 0 replaced, 2 deleted")
    assert archived(settings) == stored(database)
    assert waiting(database) == 0


def test_a_call_that_was_deleted_and_written_again_is_archived_once(settings: Settings, database: Connection) -> None:
    store(database, call("c1"))
    archive_now(settings)
    call_rows.delete(database, [CallKey(START_MS, "c1", "fs1")])
    store(database, call("c1", "beta"))
    assert archive_now(settings).startswith("archived: 0 rows appended, 1 replaced, 0 deleted")
    assert archived(settings) == stored(database)


def test_an_account_can_lose_its_last_call(settings: Settings, database: Connection) -> None:
    store(database, call("c1"), call("c2", "beta"))
    archive_now(settings)
    call_rows.delete(database, [CallKey(START_MS, "c1", "fs1")])
    assert archive_now(settings) == "archived: 0 rows appended, 0 replaced, 1 deleted, 0 files"
    assert archived(settings) == stored(database)


def test_a_correction_leaves_each_account_and_month_one_sorted_file(settings: Settings, database: Connection) -> None:
    for number in (2, 0, 1):
        store(database, call(f"c{number}", start_ts=START_MS + number))
        archive_now(settings)
    store(database, *(call(f"c{number}", start_ts=START_MS + number, cost_micros=number) for number in range(3)))
    assert archive_now(settings) == "archived: 0 rows appended, 3 replaced, 0 deleted, 1 files"
    with open_catalog(settings) as catalog:
        table = ensure_table(catalog, database)
        assert table.inspect.files().num_rows == 1
        assert [row["call_id"] for row in read_table(table).to_pylist()] == ["c0", "c1", "c2"]
    assert archived(settings) == stored(database)


def test_corrections_are_written_in_parts_when_they_touch_many_rows(
    settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maintenance.archive.commit._POOL_ROWS", 10)
    store(database, *(call(f"c{number}", f"a{number % 5}", START_MS + number) for number in range(60)))
    archive_now(settings)
    store(database, *(call(f"c{number}", f"a{number % 5}", START_MS + number, cost_micros=7) for number in range(10)))
    assert archive_now(settings).startswith("archived: 0 rows appended, 10 replaced, 0 deleted")
    assert archived(settings) == stored(database)


def test_many_corrections_take_one_commit(settings: Settings, database: Connection) -> None:
    store(database, *(call(f"c{number}", start_ts=START_MS + number) for number in range(500)))
    archive_now(settings)
    store(database, *(call(f"c{number}", start_ts=START_MS + number, cost_micros=1) for number in range(300)))
    with open_catalog(settings) as catalog:
        before = ensure_table(catalog, database).metadata_location
    assert archive_now(settings).startswith("archived: 0 rows appended, 300 replaced, 0 deleted")
    with open_catalog(settings) as catalog:
        assert ensure_table(catalog, database).metadata.metadata_log[-1].metadata_file == before
    assert archived(settings) == stored(database)
