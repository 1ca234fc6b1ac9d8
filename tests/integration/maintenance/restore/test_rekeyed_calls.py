"""A call whose key has changed, or that is gone, since the dump that was restored is there as it is now, or not."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from maintenance.archive.attach import attach_archive
from maintenance.archive.gone import read_deleted
from maintenance.compaction.run import compact_archive
from maintenance.erase.preview import EraseRequest
from maintenance.erase.run import erase_calls
from maintenance.recover.archived import not_archived
from maintenance.recover.run import recover_calls
from rating.engine import Tariffs
from tests.archiving import archive_now, archived, stored, waiting
from tests.databases import NewDatabase, dump, restore, store
from tests.factories import FOR_EVER_MS, SECOND_US, UP, leg
from tests.factories import call as factory_call
from tests.integration.maintenance.recover.test_late import put as put_files
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.model.call_key import CallKey
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Leg
from tollbook.store.calls import call_rows
from tollbook.store.calls.poison import Refused, write_around_poison
from tollbook.store.database import Connection, connect
from tollbook.store.days.partitions import Partitions
from tollbook.times import MS_PER_DAY, US_PER_DAY, current_day

TODAY = current_day()
NOON_US = (TODAY - 1) * US_PER_DAY + US_PER_DAY // 2
END_US = NOON_US + 60 * SECOND_US

# The call as it was known at first, by a leg that `sofia recover` brought back or by a child, and its first leg.
CHILD = leg("b", start_us=NOON_US + SECOND_US, end_us=END_US, parent="a")
AGAIN = leg("a", start_us=NOON_US + 9 * SECOND_US, end_us=END_US, recovered=True)
FIRST = leg("a", start_us=NOON_US, end_us=END_US)


@contextmanager
def yesterday(new_database: NewDatabase, settings: Settings, path: Path) -> Iterator[tuple[Settings, Connection]]:
    """A database restored from a dump, beside the one that was dumped."""
    with new_database() as url:
        with connect(url, name="test", autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        restore(url, path)
        with connect(url, name="test", autocommit=True) as connection:
            yield settings.model_copy(update={"database_url": SecretStr(url)}), connection


def write(connection: Connection, *legs: Leg) -> list[Refused]:
    """Write legs as the listener does; return those that are refused."""
    connection.autocommit = False
    try:
        return write_around_poison(connection, legs, FoldSettings(), Tariffs(decks={}).price, Partitions())[1]
    finally:
        connection.autocommit = True


@pytest.mark.parametrize("was", ["up", "waiting", "archived"])
def test_a_call_that_got_an_earlier_start_is_there_once(
    settings: Settings, database: Connection, new_database: NewDatabase, tmp_path: Path, was: str
) -> None:
    """Whatever its row was at the time of the dump; and no file of its legs brings the old key back.

    Also where no run wrote down that the old key was deleted: the row was up, or the archive is of an older version.
    """
    store(database, factory_call("other", "acme", TODAY * MS_PER_DAY))
    write(database, CHILD if was == "up" else AGAIN)
    if was == "archived":
        archive_now(settings)
    dump(settings.require_database_url(), tmp_path / "dump")
    write(database, CHILD, FIRST)
    archive_now(settings)
    shutil.rmtree(settings.data_dir / "archive" / "tollbook" / "calls" / "gone", ignore_errors=True)
    wanted = archived(settings)
    assert [row[0] for row in wanted] == ["other", "a"]
    with yesterday(new_database, settings, tmp_path / "dump") as (restored, connection):
        report = str(attach_archive(restored))
        assert "1 calls were here and there by two keys" in report
        assert "removed: a of " in report
        archive_now(restored)
        assert archived(restored) == wanted
        assert stored(connection) == wanted
        assert [refused.late for refused in write(connection, AGAIN)] == [True]
        archive_now(restored)
        assert (archived(restored), waiting(connection)) == (wanted, 0)


def test_an_archive_that_went_back_gets_the_call_by_its_present_key(settings: Settings, database: Connection) -> None:
    """The database has it by an earlier start, and the run that archived it so was lost with the newest state."""
    write(database, AGAIN)
    archive_now(settings)
    write(database, FIRST)
    database.execute("DELETE FROM archive_outbox")
    database.execute("UPDATE database_history SET restored_at = now(), restored_how = 'as if'")
    assert "1 calls were here and there by two keys" in str(attach_archive(settings))
    archive_now(settings)
    assert archived(settings) == stored(database)
    assert len(archived(settings)) == 1


def test_a_row_that_is_up_and_began_earlier_is_named(settings: Settings, database: Connection) -> None:
    """An id may have been used again when its first call had ended, unheard: both stay."""
    store(database, factory_call("a", "acme", NOON_US // 1000))
    archive_now(settings)
    store(database, factory_call("a", "acme", NOON_US // 1000 - 1, **UP))
    database.execute("UPDATE database_history SET restored_at = now(), restored_how = 'as if'")
    report = str(attach_archive(settings))
    assert "1 calls that are up here may be ones that the archive has by a later start" in report
    assert "1 calls are up here and not in the archive" in report
    assert len(stored(database)) == 2


def test_an_archived_call_is_not_lacking_because_its_start_differs(settings: Settings, database: Connection) -> None:
    """`recover` asks so for the files of old calls; an id that was used again later is another call."""
    write(database, FIRST)
    archive_now(settings)
    later = leg("a", start_us=END_US, end_us=END_US + SECOND_US)
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert not_archived(table, [AGAIN]) == set()
        assert not_archived(table, [later]) == {later.key}


@pytest.mark.parametrize("was_archived", [True, False])
def test_a_call_that_became_a_part_of_another_does_not_come_back(
    settings: Settings, database: Connection, new_database: NewDatabase, tmp_path: Path, was_archived: bool
) -> None:
    """Its key says nothing of the other: the run that deleted it wrote that down, also if it was never archived."""
    at_ms = NOON_US // 1000
    store(database, factory_call("whole", "acme", at_ms), factory_call("part", "acme", at_ms + 5))
    if was_archived:
        archive_now(settings)
    dump(settings.require_database_url(), tmp_path / "dump")
    call_rows.delete(database, [CallKey(at_ms + 5, "part", "fs1")])
    store(database, factory_call("whole", "acme", at_ms, billsec=61), factory_call("again", "acme", at_ms + 9))
    archive_now(settings)
    wanted = archived(settings)
    with yesterday(new_database, settings, tmp_path / "dump") as (restored, connection):
        assert "1 rows removed that were deleted since" in str(attach_archive(restored))
        archive_now(restored)
        assert archived(restored) == stored(connection) == wanted


def test_an_erased_call_does_not_come_back_with_a_dump(
    settings: Settings, database: Connection, new_database: NewDatabase, tmp_path: Path
) -> None:
    """Neither its row nor its legs, nor by their CDR files afterwards: the archive knows what was erased."""
    folder = tmp_path / "json_cdr"
    folder.mkdir()
    store(database, factory_call("other", "other", TODAY * MS_PER_DAY))
    put_files(folder)
    recover_calls(settings, folder)
    account = next(account for _, account, *_ in stored(database) if account != "other")
    dump(settings.require_database_url(), tmp_path / "dump")
    archive_now(settings)
    erase_calls(
        settings, EraseRequest(account_id=str(account), number=None, until_ts=FOR_EVER_MS, by_whom="", reason="")
    )
    with yesterday(new_database, settings, tmp_path / "dump") as (restored, connection):
        assert "1 rows removed of calls that were erased since" in str(attach_archive(restored))
        archive_now(restored)
        files = put_files(folder)
        assert recover_calls(restored, folder).erased == len(files)
        archive_now(restored)
        assert [row[0] for row in stored(connection)] == [row[0] for row in archived(restored)] == ["other"]
        assert connection.execute("SELECT count(*) FROM call_leg").fetchone() == (0,)


def test_a_row_that_was_written_again_after_its_deletion_stays(settings: Settings, database: Connection) -> None:
    """The archive was told of the deletion, and not yet of the row."""
    key = CallKey(NOON_US // 1000, "a", "fs1")
    store(database, factory_call("a", "acme", key.start_ts))
    archive_now(settings)
    call_rows.delete(database, [key])
    archive_now(settings)
    store(database, factory_call("a", "acme", key.start_ts), changed_now=True)
    database.execute("UPDATE database_history SET restored_at = now(), restored_how = 'as if'")
    assert "removed" not in str(attach_archive(settings))
    archive_now(settings)
    assert len(archived(settings)) == len(stored(database)) == 1


def test_the_lists_of_deleted_calls_are_merged(
    settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Into one, which says the same; a file that was cut off is left out."""
    monkeypatch.setattr("maintenance.archive.gone._MERGED_FILES", 4)
    for number in range(4):
        key = CallKey(NOON_US // 1000, f"a{number}", "fs1")
        store(database, factory_call(key.call_id, "acme", key.start_ts))
        archive_now(settings)
        call_rows.delete(database, [key])
        archive_now(settings)
    folder = settings.data_dir / "archive" / "tollbook" / "calls" / "gone"
    (folder / f"deleted-{uuid4()}.json").write_text('{"cut o')
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        before = read_deleted(table)
        assert len(before) == 4
        compact_archive(settings)
        assert len(list(folder.iterdir())) == 1
        assert read_deleted(table) == before


def test_a_deletion_that_is_newer_than_the_attached_state_removes_nothing(
    settings: Settings, database: Connection, new_database: NewDatabase, tmp_path: Path
) -> None:
    """The newest state is lost, and with it the call that the deleted one became a part of: a part is left of it."""
    at_ms, archive, copy = NOON_US // 1000, settings.data_dir / "archive", tmp_path / "copy"
    store(database, factory_call("other", "acme", at_ms))
    archive_now(settings)
    store(database, factory_call("part", "acme", at_ms))
    dump(settings.require_database_url(), tmp_path / "dump")
    shutil.copytree(archive, copy)
    call_rows.delete(database, [CallKey(at_ms, "part", "fs1")])
    store(database, factory_call("whole", "acme", at_ms - 5))
    archive_now(settings)
    shutil.copytree(archive / "tollbook" / "calls" / "gone", copy / "tollbook" / "calls" / "gone")
    shutil.rmtree(archive)
    copy.rename(archive)
    with yesterday(new_database, settings, tmp_path / "dump") as (restored, connection):
        attach_archive(restored)
        archive_now(restored)
        wanted = ["part", "other"]
        assert [row[0] for row in archived(restored)] == [row[0] for row in stored(connection)] == wanted
