"""`tollbook stats rebuild` and the roll-up: whole after an upgrade, beside writers, and whenever they are killed."""

import contextlib
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import psycopg
import pytest

from maintenance.doctor.probes.archive import check_sums
from maintenance.prune.run import prune_days
from maintenance.sums.run import build_unbuilt, rebuild_sums
from tests.archiving import archive_now
from tests.databases import store
from tests.factories import BUSY, call
from tests.sums import assert_sums_whole
from tests.waiting import wait_until
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.counted import counted_csv
from tollbook.config import Settings
from tollbook.model.accounts import EveryAccount
from tollbook.model.details import Details
from tollbook.model.selection import Selection
from tollbook.model.trunk_leg import TrunkLeg
from tollbook.store.database import Connection, connect
from tollbook.store.row_security import reading
from tollbook.store.sums.build import ARCHIVED_COLUMNS, add_archived, count_rows
from tollbook.store.sums.read import sum_cubes
from tollbook.store.sums.rollup import roll_up
from tollbook.store.sums.unbuilt import ERASURE, UnbuiltDay, mark_unbuilt, unbuilt_days
from tollbook.times import MS_PER_DAY

TODAY = 20_780  # 2026-11-23
OLD = TODAY - 33
ALL = Selection(accounts=EveryAccount(), since=0, until=(TODAY + 1) * MS_PER_DAY)
CUBES = "call_sum, queue_sum, destination_sum, operator_sum, gateway_sum, sum_delta, sum_name, sum_account"


@pytest.fixture
def settings(local_settings: Settings) -> Settings:
    """Settings of an archive on local files."""
    return local_settings


@pytest.fixture
def filled(settings: Settings, database: Connection) -> Settings:
    """Calls of three accounts on two days before the window and two of it, in queues and without, one late."""
    calls = [
        call(
            f"c{number}", ["acme", "beta", None][number % 3],
            (OLD + number % 2 if number < 20 else TODAY - number % 2) * MS_PER_DAY + number * 1_234_567,
            **({} if number % 4 else dict[str, Any](BUSY)),
            queue_id=["q", None][number % 2], agent_id=["a", None][number % 2],
            destination=["Germany", "France"][number % 2], details=Details(wait_ms=number * 100, talk_ms=7),
            trunk_legs=(TrunkLeg([None, "carrier"][number % 2], number % 2, number, 4.1),) * (number % 4),
        )
        for number in range(40)
    ]  # fmt: skip
    store(database, *calls)
    archive_now(settings)
    prune_days(settings, today=TODAY)
    store(database, call("c3", None, (OLD + 1) * MS_PER_DAY + 3 * 1_234_567, cost_micros=5))
    return settings


def total(settings: Settings, selection: Selection = ALL) -> object:
    with (
        connect(settings.require_database_url(), name="reader", autocommit=True) as reader,
        reading(reader, EveryAccount()),
    ):
        sums = sum_cubes(reader, selection, [], limit=1)
        return sums if isinstance(sums, str) else sums.total.calls


def test_an_upgraded_database_is_refused_until_its_sums_are_built(filled: Settings, database: Connection) -> None:
    """Nothing is answered of the time before the upgrade; after it, all of both tiers, and once."""
    build_unbuilt(filled)
    database.execute(f"TRUNCATE {CUBES}".encode())
    database.execute("UPDATE sum_state SET unbuilt_before = %(end)s, gateways_since = %(end)s", {"end": ALL.until})
    assert total(filled) == "unbuilt"
    assert check_sums(filled).status == 1
    assert rebuild_sums(filled, everything=False, jobs=2).left == 0
    assert total(filled) == 40
    assert_sums_whole(filled)
    assert "account-days" in check_sums(filled).found


def test_the_doctor_finds_a_sum_that_is_wrong(filled: Settings, database: Connection) -> None:
    build_unbuilt(filled)
    roll_up(database)
    assert check_sums(filled).status == 0
    database.execute("UPDATE call_sum SET cost_micros = cost_micros + 1")
    assert check_sums(filled).status == 2
    rebuild_sums(filled, everything=True, jobs=1)
    assert check_sums(filled).status == 0
    assert_sums_whole(filled)


def test_a_call_that_is_written_anew_after_its_day_was_dropped_names_that_day(
    filled: Settings, database: Connection
) -> None:
    """Its archived form is counted, and nobody here knows it: until the day is built, its sums are refused."""
    assert [claim.unbuilt for claim in unbuilt_days(database)] == [UnbuiltDay(OLD + 1, None)]
    assert total(filled) == "unbuilt"
    build_unbuilt(filled)
    assert total(filled) == 40


def test_an_erased_name_goes_with_a_day_from_before_the_archives_first_call(
    settings: Settings, database: Connection
) -> None:
    """The day is in the window, so its rows are all that its sums are made of."""
    store(database, call("b", "acme", TODAY * MS_PER_DAY))
    archive_now(settings)
    store(database, call("a", "acme", (TODAY - 1) * MS_PER_DAY, queue_id="hers"))
    roll_up(database)
    database.execute("DELETE FROM call_cdr WHERE call_id = 'a'")
    mark_unbuilt(database, [UnbuiltDay(TODAY - 1, "acme")], ERASURE)
    assert build_unbuilt(settings).built == 1
    assert database.execute("SELECT value FROM sum_name WHERE kind = 'queue'").fetchall() == []
    assert_sums_whole(settings)


def test_a_rebuild_beside_writers_counts_each_call_once(filled: Settings, database: Connection) -> None:
    """Rows are written, changed and rolled up while every day is built, several times over."""
    stop = threading.Event()

    def write() -> None:
        with connect(filled.require_database_url(), name="writer", autocommit=True) as writer:
            for number in range(10_000):
                if stop.is_set():
                    return
                start = (TODAY - number % 2) * MS_PER_DAY + number
                store(writer, call(f"n{number % 50}", "acme", start - start % 50 + number % 50, billsec=number % 60))
                roll_up(writer)

    writing = threading.Thread(target=write)
    writing.start()
    try:
        for _ in range(3):
            assert rebuild_sums(filled, everything=True, jobs=2).left == 0
    finally:
        stop.set()
        writing.join(30)
    assert_sums_whole(filled)


_WORK = """
import sys
from pathlib import Path
from pydantic import SecretStr
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.counted import counted_csv
from tollbook.config import Settings
from maintenance.sums.run import rebuild_sums
settings = Settings(database_url=SecretStr(sys.argv[1]), data_dir=Path(sys.argv[2]))
print("begun", flush=True)
while True:
    rebuild_sums(settings, everything=True, jobs=2)
"""


def test_a_killed_rebuild_or_roll_up_loses_and_doubles_nothing(filled: Settings, database: Connection) -> None:
    """Killed at ten moments, and gone on with by the next run; until then the days that are left are refused."""
    url = filled.require_database_url()
    for number in range(10):
        store(database, call(f"k{number}", "beta", TODAY * MS_PER_DAY + number, queue_id="k"))
        with subprocess.Popen(
            [sys.executable, "-c", _WORK, url, str(filled.data_dir)], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout
            assert child.stdout.readline() == "begun\n"
            time.sleep(0.02 * number)  # moments of a run
            child.send_signal(signal.SIGKILL)
        wait_until(lambda: not _at_work(database), 20, what=lambda: "until its sessions have ended")
        assert rebuild_sums(filled, everything=False, jobs=1).left == 0
        assert_sums_whole(filled)


def _at_work(database: Connection) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'tollbook sums%'"
    return database.execute(query).fetchone() != (0,)


def test_a_roll_up_that_is_cut_off_has_moved_all_of_a_piece_or_nothing(filled: Settings, database: Connection) -> None:
    """Its session is ended at ten moments; what waits stays whole."""
    url = filled.require_database_url()
    build_unbuilt(filled)
    for number in range(10):
        store(database, *(call(f"f{number}-{n}", "acme", TODAY * MS_PER_DAY + n * 1000) for n in range(200)))
        with connect(url, name="folder", autocommit=True) as folder:
            pid = folder.info.backend_pid
            cutter = threading.Timer(0.004 * number, database.execute, ("SELECT pg_terminate_backend(%s)", (pid,)))
            cutter.start()
            with contextlib.suppress(Exception):
                roll_up(folder)
            cutter.join()
            with contextlib.suppress(psycopg.Error):
                folder.close()
    assert_sums_whole(filled)


def test_two_that_build_a_day_add_its_archived_calls_once(filled: Settings, database: Connection) -> None:
    """The whole day and an account of it, or one claim twice: the last that began goes on, the other adds nothing."""
    build_unbuilt(filled)
    mark_unbuilt(database, [UnbuiltDay(OLD, None), UnbuiltDay(OLD, "acme")], "test")
    whole, account = unbuilt_days(database)
    first = count_rows(database, whole)
    assert first is not None
    assert count_rows(database, whole) is None  # it has another name by now
    (account,) = [claim for claim in unbuilt_days(database) if claim.unbuilt.account_id]
    second = count_rows(database, account)
    assert second is not None
    with open_catalog(filled) as catalog:
        table = load_calls(catalog)
        assert table is not None
        for counted in (first, second):
            chunks = counted_csv(
                table, OLD, ARCHIVED_COLUMNS,
                account_id=counted.claim.unbuilt.account_id, excluded=counted.excluded,
            )  # fmt: skip
            assert add_archived(database, counted.claim, chunks) == (counted is second)
    assert [claim.unbuilt for claim in unbuilt_days(database)] == [UnbuiltDay(OLD, None)]
    assert_sums_whole(filled)


def test_a_day_that_is_named_again_while_it_is_built_stays_unbuilt(filled: Settings, database: Connection) -> None:
    mark_unbuilt(database, [UnbuiltDay(OLD, None)], "test")
    (before,) = [claim for claim in unbuilt_days(database) if claim.unbuilt.day == OLD]
    mark_unbuilt(database, [UnbuiltDay(OLD, None)], "test")
    (after,) = [claim for claim in unbuilt_days(database) if claim.unbuilt.day == OLD]
    assert before.claim != after.claim
    build_unbuilt(filled)
    assert_sums_whole(filled)
