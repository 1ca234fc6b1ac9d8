"""After `tollbook archive attach`, the database's window is what the archive has, and nothing is there twice."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from maintenance.archive.attach import attach_archive
from maintenance.prune.run import prune_days
from maintenance.recover.run import recover_calls
from maintenance.restore import window
from maintenance.restore.day import restore_day
from rating.engine import Tariffs
from tests.archiving import archive_now, archived, stored, waiting
from tests.databases import NewDatabase, store
from tests.factories import UP, Call, leg
from tests.factories import call as factory_call
from tests.integration.maintenance.recover.test_late import put as put_files
from tollbook.archive.bounds import first_and_last
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.model.call_key import CallKey
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Leg
from tollbook.store import outbox
from tollbook.store.calls import call_rows
from tollbook.store.calls.poison import Refused, write_around_poison
from tollbook.store.database import Connection, connect
from tollbook.store.days.partitions import CALLS, Partitions, make_ready, standing_days
from tollbook.store.days.split import extend_late
from tollbook.store.days.sync_window import read_sync_window
from tollbook.store.days.window import read_window
from tollbook.times import MS_PER_DAY, US_PER_DAY

TODAY = int(time.time()) // 86_400


def call(name: str, day: int, account: str | None = "acme", **changed: Any) -> Call:
    return factory_call(name, account, day * MS_PER_DAY + 1000, **changed)


@pytest.fixture
def anew(new_database: NewDatabase, settings: Settings) -> Iterator[Settings]:
    """Settings of a database that was set up anew, with the same archive."""
    with new_database() as url:
        yield settings.model_copy(update={"database_url": SecretStr(url)})


def on(settings: Settings) -> Connection:
    return connect(settings.require_database_url(), name="test", autocommit=True)


def write(connection: Connection, *legs: Leg) -> list[Refused]:
    """Write legs as the listener does; return those that become dead letters."""
    connection.autocommit = False
    try:
        return write_around_poison(connection, legs, FoldSettings(), Tariffs(decks={}).price, Partitions())[1]
    finally:
        connection.autocommit = True


def test_a_database_set_up_anew_gets_its_window_back(settings: Settings, database: Connection, anew: Settings) -> None:
    """Back to the retention, and no further; what is older is read from the archive."""
    days = (TODAY - 40, TODAY - 31, TODAY - 30, TODAY - 29, TODAY - 1, TODAY)
    store(database, *(call(f"c{day}", day) for day in days))
    archive_now(settings)
    with on(anew) as connection:
        make_ready(connection)
        report = str(attach_archive(anew))
        assert "4 rows restored" in report
        begun = read_window(connection)
        assert begun.start_ts == (TODAY - 30) * MS_PER_DAY
        assert begun.leg_us == (TODAY - 30) * US_PER_DAY
        assert read_sync_window(connection).since_ms >= TODAY * MS_PER_DAY  # a sync cannot read older changes
        assert begun.unverified_ts >= TODAY * MS_PER_DAY + 1000
        assert [row[0] for row in stored(connection)] == [f"c{day}" for day in reversed(days[2:])]
        assert archived(anew) == stored(database)
        assert waiting(connection) == 0
        assert prune_days(anew, today=TODAY + 1).days == 1
        archive_now(anew)
        assert archived(anew) == stored(database)


def test_a_new_database_with_older_days_of_its_own_is_pruned_on(
    settings: Settings, database: Connection, anew: Settings
) -> None:
    """A recovery has put older calls there: they are archived, and pruning them does not move the window back."""
    store(database, call("archived", TODAY), call("old", TODAY - 50))
    archive_now(settings)
    with on(anew) as connection:
        store(connection, call("older", TODAY - 35))
        attach_archive(anew)
        begins = read_window(connection).start_ts
        archive_now(anew)
        assert prune_days(anew, today=TODAY).calls == 1
        assert read_window(connection).start_ts >= begins
        assert {row[0] for row in archived(anew)} == {"archived", "old", "older"}


def test_a_late_change_of_an_older_call_does_not_stop_pruning(
    settings: Settings, database: Connection, anew: Settings
) -> None:
    """It is a late call there, too: no day of the archive gets a partition that has a part of its calls."""
    store(database, call("a", TODAY - 40), call("b", TODAY - 40), call("new", TODAY))
    archive_now(settings)
    with on(anew) as connection:
        make_ready(connection)
        attach_archive(anew)
        store(connection, call("a", TODAY - 40, billsec=61))
        assert standing_days(connection, CALLS)[0] == TODAY - 1
        archive_now(anew)
        prune_days(anew, today=TODAY + 1)
        assert sorted((row[0], row[9]) for row in archived(anew)) == [("a", 61), ("b", 60), ("new", 60)]


def test_a_day_that_is_made_while_an_archive_is_attached_is_restored(
    settings: Settings, database: Connection, anew: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a correction of an older call, after the window's days were restored: the window begins with that day."""
    store(database, call("a", TODAY - 40), call("b", TODAY - 40), call("new", TODAY))
    archive_now(settings)
    with on(anew) as connection:
        make_ready(connection)

        def correct(*arguments: Any) -> bool:
            monkeypatch.undo()
            store(connection, call("a", TODAY - 40, billsec=61))
            return extend_late(*arguments)

        monkeypatch.setattr(window, "extend_late", correct)
        attach_archive(anew)
        assert read_window(connection).start_ts == (TODAY - 40) * MS_PER_DAY
        archive_now(anew)
        assert prune_days(anew, today=TODAY + 1).calls == 2
        assert sorted(row[0] for row in archived(anew)) == ["a", "b", "new"]


def test_an_archive_whose_calls_were_all_deleted_is_attached(
    settings: Settings, database: Connection, anew: Settings
) -> None:
    """It has partitions, and no file in them."""
    store(database, call("a", TODAY))
    archive_now(settings)
    call_rows.delete(database, [CallKey(TODAY * MS_PER_DAY + 1000, "a", "fs1")])
    archive_now(settings)
    assert archived(settings) == []
    with on(anew) as connection:
        assert "0 rows restored" in str(attach_archive(anew))
        assert read_window(connection).start_ts == 0


def test_months_whose_calls_were_all_deleted_hide_no_other(settings: Settings, database: Connection) -> None:
    """The first and the last month of the archive may have no file any more."""
    days = (TODAY - 100, TODAY - 50, TODAY)
    store(database, *(call(f"c{day}", day) for day in days))
    archive_now(settings)
    call_rows.delete(database, [CallKey(day * MS_PER_DAY + 1000, f"c{day}", "fs1") for day in (days[0], days[2])])
    archive_now(settings)
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        start = days[1] * MS_PER_DAY + 1000
        assert first_and_last(table) == (start, start)


WAITS, ARCHIVED = True, False


@pytest.mark.parametrize(
    ("theirs", "ours", "waits", "kept"),
    [
        pytest.param({}, None, ARCHIVED, "theirs", id="a row that the database lost"),
        pytest.param({}, UP, ARCHIVED, "theirs", id="a call that was up and has ended since"),
        pytest.param({"revision": 2, "cost_micros": 5}, {}, ARCHIVED, "theirs", id="a price that changed since"),
        pytest.param({"revision": 2, "cost_micros": 5}, {}, WAITS, "theirs", id="one that waited for the archive"),
        pytest.param({}, {"estimated": True, "billsec": 9}, WAITS, "theirs", id="an exact end, and an estimate"),
        pytest.param({"estimated": True}, {"billsec": 9, "revision": 2}, WAITS, "ours", id="the reverse"),
        pytest.param({"account_id": "beta"}, {"revision": 2}, WAITS, "ours", id="a change that was never archived"),
        pytest.param({}, {"revision": 2, "cost_micros": 5}, ARCHIVED, "ours", id="an archive that went back"),
        pytest.param(None, {}, ARCHIVED, "ours", id="a call that the archive lost"),
        pytest.param(None, {}, WAITS, "ours", id="a call that the archive never had"),
    ],
)
@pytest.mark.parametrize("day", [TODAY, TODAY - 45], ids=["of the window", "late"])
def test_the_newer_state_counts(
    settings: Settings, database: Connection, anew: Settings, day: int,
    theirs: dict[str, Any] | None, ours: dict[str, Any] | None, waits: bool, kept: str,
) -> None:  # fmt: skip
    """And the archive and the database hold the same in the end, once."""
    put_with(database, "other", day, {})
    wanted = put_with(database, "a", day, theirs)
    archive_now(settings)
    with on(anew) as connection:
        if day < TODAY:  # dropped there, and late
            connection.execute("UPDATE hot_window SET window_start = %s", ((TODAY - 30) * MS_PER_DAY,))
            connection.execute("ALTER TABLE call_cdr DETACH PARTITION call_cdr_late")
            connection.execute(
                "ALTER TABLE call_cdr ATTACH PARTITION call_cdr_late FOR VALUES FROM (MINVALUE)"
                f" TO ({(TODAY - 30) * MS_PER_DAY})"
            )
            connection.execute("UPDATE hot_window SET calls_late_until = window_start")
        written = put_with(connection, "a", day, ours)
        wanted = written if kept == "ours" else wanted
        if not waits:
            connection.execute("DELETE FROM archive_outbox")
        attach_archive(anew)
        outbox.settle(connection)
        archive_now(anew)
        (found,) = [row for row in archived(anew) if row[0] == "a"]
        assert found == wanted
        rows = [row for row in stored(connection) if row[0] == "a"]
        assert rows == ([wanted] if day == TODAY or ours is not None else [])
        assert waiting(connection) == 0


def put_with(connection: Connection, name: str, day: int, fields: dict[str, Any] | None) -> tuple[object, ...] | None:
    """Write a call with these fields and its leg; return its public row."""
    if fields is None:
        return None
    fields = dict(fields)
    revision = fields.pop("revision", 1)
    account = fields.pop("account_id", "acme")
    store(connection, call(name, day, account, **fields), with_legs=True)
    if "end_ts" not in fields:
        connection.execute("UPDATE call_cdr SET revision = %s WHERE call_id = %s", (revision, name))
        if revision > 1:
            connection.execute("UPDATE archive_outbox SET deleted = true WHERE call_id = %s", (name,))
    return next(row for row in stored(connection) if row[0] == name)


def test_no_leg_of_a_restored_call_undoes_it(settings: Settings, database: Connection, anew: Settings) -> None:
    """Neither a stored one, from before, nor one that comes again; a call that nobody archived is written."""
    start_us = TODAY * US_PER_DAY + 1_000_000
    whole = leg("a", start_us=start_us, end_us=start_us + 60_000_000)
    assert write(database, whole) == []
    archive_now(settings)
    with on(anew) as connection:
        make_ready(connection)
        write(connection, leg("a", start_us=start_us))  # of yesterday's dump: it was up then
        attach_archive(anew)
        assert stored(connection) == stored(database)
        assert [refused.late for refused in write(connection, whole)] == [True]
        assert write(connection, leg("b", start_us=start_us + 1, end_us=start_us + 9)) == []
        assert [refused.late for refused in write(connection, leg("c", start_us=start_us, end_us=start_us + 9,
                                                                 parent="a"))] == [True]  # fmt: skip
        archive_now(anew)
        assert {row[0] for row in archived(anew)} == {"a", "b"}


@pytest.mark.parametrize("before_attach", [False, True])
def test_recover_after_attach_adds_nothing_twice(
    settings: Settings, database: Connection, anew: Settings, tmp_path: Path, before_attach: bool
) -> None:
    """The files of the archived calls are read again, into a database that was set up anew."""
    folder = tmp_path / "json_cdr"
    folder.mkdir()
    put_files(folder)
    recover_calls(settings, folder)
    archive_now(settings)
    before = archived(settings)
    with on(anew) as connection:
        if before_attach:
            put_files(folder)
            recover_calls(anew, folder)
        attach_archive(anew)
        files = put_files(folder)
        done = recover_calls(anew, folder)
        assert (done.late, done.legs) == (0 if before_attach else len(files), 0)
        archive_now(anew)
        assert archived(anew) == before
        assert waiting(connection) == 0


@pytest.mark.parametrize("known", [True, False], ids=["recognised before", "not recognised"])
def test_a_killed_attach_is_done_again(
    settings: Settings, database: Connection, anew: Settings, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """After the table is registered and before the window is whole."""
    store(database, *(call(f"c{day}", day) for day in (TODAY - 40, TODAY - 2, TODAY - 1, TODAY)))
    archive_now(settings)
    if not known:
        (settings.data_dir / "history.json").unlink(missing_ok=True)

    def dying(connection: Connection, table: Any, day: int, **options: Any) -> Any:
        if day == TODAY - 1:
            raise KeyboardInterrupt
        return restore_day(connection, table, day, **options)

    with on(anew) as connection:
        monkeypatch.setattr("maintenance.restore.window.restore_day", dying)
        with pytest.raises(KeyboardInterrupt):
            attach_archive(anew)
        monkeypatch.setattr("maintenance.restore.window.restore_day", restore_day)
        assert read_window(connection).start_ts == TODAY * MS_PER_DAY
        attach_archive(anew)
        assert [row[0] for row in stored(connection)] == [f"c{day}" for day in (TODAY, TODAY - 1, TODAY - 2)]
