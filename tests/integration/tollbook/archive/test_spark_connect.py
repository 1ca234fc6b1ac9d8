"""A server that speaks Spark Connect: what it must not count, its limits, and when it is away."""

import gc
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import SecretStr, ValidationError

from maintenance.archive.run import archive_calls
from tests.archiving import archive_as_before
from tests.databases import store
from tests.factories import FOR_EVER_MS, START_MS, call
from tests.sail import running_sail
from tollbook import config
from tollbook.archive.engine import spark_connect, sql
from tollbook.archive.engine.question import MAX_GROUPS, Question
from tollbook.archive.reader import Archive
from tollbook.config import Settings
from tollbook.errors import ArchiveDamaged, EngineUnavailable, QuestionTooLarge
from tollbook.model.accounts import EveryAccount, OneAccount
from tollbook.model.call_key import CallKey
from tollbook.model.call_sums import CallSums, Periods
from tollbook.model.selection import Selection
from tollbook.store.database import Connection

TOTAL = Question(selection=Selection(accounts=EveryAccount(), since=0, until=FOR_EVER_MS))


@pytest.fixture(scope="module")
def sail() -> Iterator[str]:
    """The URL of a server that speaks Spark Connect."""
    with running_sail() as url:
        yield url


def settings_of(database_url: str, folder: Path, engine: str, **changed: object) -> Settings:
    return Settings(
        **{"database_url": SecretStr(database_url), "data_dir": folder, "engine": SecretStr(engine), **changed}
    )


@pytest.fixture
def settings(database_url: str, tmp_path: Path, sail: str) -> Settings:
    """Settings with this test's database, a data directory of its own, and the server."""
    return settings_of(database_url, tmp_path, sail)


@pytest.fixture
def archive(settings: Settings) -> Iterator[Archive]:
    archive = Archive(settings, lambda: True)
    yield archive
    archive.close()


def test_excluded_keys_do_not_count(settings: Settings, database: Connection, archive: Archive) -> None:
    """Of two calls with one id and start, on two switches, only the one that is named."""
    database.autocommit = True
    hostile = "'; DROP TABLE calls; --"
    store(database, *(call(name, switch=switch) for name in (hostile, "a", "ü") for switch in ("fs1", "fs2")))
    archive_calls(settings, now=True)
    excluded = frozenset((
        CallKey(START_MS, hostile, "fs1"), CallKey(START_MS, "ü", "fs2"), CallKey(START_MS + 1, "a", "fs1"),
    ))  # fmt: skip
    assert archive.sum_calls(TOTAL, frozenset())[()].calls == 6
    assert archive.sum_calls(TOTAL, excluded)[()].calls == 4


def test_it_reads_the_snapshot_that_the_catalog_names(
    settings: Settings, database: Connection, archive: Archive
) -> None:
    """A metadata file that is newer than the catalog's, as a kill between the two leaves it, is not read."""
    database.autocommit = True
    store(database, call("a"))
    archive_calls(settings, now=True)
    table = "SELECT metadata_location FROM iceberg_tables"
    older = database.execute(table).fetchone()
    assert older is not None
    store(database, call("b"))
    archive_calls(settings, now=True)
    assert archive.sum_calls(TOTAL, frozenset())[()].calls == 2
    database.execute("UPDATE iceberg_tables SET metadata_location = %s", older)
    assert archive.sum_calls(TOTAL, frozenset())[()].calls == 1


@pytest.mark.parametrize("first_missing", ["currency", "hung_up_by"])
def test_files_from_before_a_column_have_null_in_it(
    settings: Settings, database: Connection, archive: Archive, first_missing: str
) -> None:
    """A file that lacks columns, first in a table that lacks them, too, then beside one that has them."""
    database.autocommit = True
    store(database, call("a"))
    archive_as_before(settings, database, first_missing)
    currency = None if first_missing == "currency" else "EUR"
    older = CallSums(calls=1, answered=1, billsec=60, cost=((currency, 21_000),))
    by_destination = Question(selection=TOTAL.selection, groups=("destination",), within_ms=1)
    assert archive.sum_calls(TOTAL, frozenset()) == {(): older}
    assert archive.sum_calls(by_destination, frozenset()) == {(None,): older}
    store(database, call("b", cost_micros=5, destination="Germany"))
    archive_calls(settings, now=True)
    newer = CallSums(calls=1, answered=1, billsec=60, cost=(("EUR", 5),))
    assert archive.sum_calls(TOTAL, frozenset()) == {(): older.plus(newer)}
    assert archive.sum_calls(by_destination, frozenset()) == {(None,): older, ("Germany",): newer}


def test_an_archive_without_calls_adds_up_to_nothing(
    settings: Settings, database: Connection, archive: Archive
) -> None:
    database.autocommit = True
    store(database, call("a"))
    archive_calls(settings, now=True)
    nobody = Question(selection=Selection(accounts=OneAccount("nobody"), since=0, until=FOR_EVER_MS))
    assert archive.sum_calls(nobody, frozenset()) == {}


def test_a_thousand_periods_are_understood(settings: Settings, database: Connection, archive: Archive) -> None:
    """As many as `/v1/stats` asks for: the deepest expression that there is."""
    database.autocommit = True
    store(database, *(call(f"c{number}", start_ts=START_MS + number * 3_600_000) for number in range(100)))
    archive_calls(settings, now=True)
    hours = Periods(starts=[START_MS + (number - 500) * 3_600_000 for number in range(1000)])
    answer = archive.sum_calls(Question(selection=TOTAL.selection, groups=(hours,)), frozenset())
    assert sorted(answer) == [(number,) for number in range(500, 600)]


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-100])])
@pytest.mark.parametrize("which", ["*.parquet", "*-m0.avro", "snap-*.avro"])
def test_a_damaged_or_missing_file_is_no_partial_sum(
    settings: Settings, database: Connection, archive: Archive, which: str, harm: Callable[[Path], object]
) -> None:
    """One of two data files, a manifest or the manifest list: as when DuckDB answers."""
    database.autocommit = True
    for name in ("a", "b"):
        store(database, call(name))
        archive_calls(settings, now=True)
    assert archive.sum_calls(TOTAL, frozenset())[()].calls == 2
    newest = max((settings.data_dir / "archive").rglob(which), key=lambda path: path.stat().st_mtime_ns)
    harm(newest)
    with pytest.raises(ArchiveDamaged, match=newest.name):
        archive.sum_calls(TOTAL, frozenset())


def test_more_groups_than_fit_an_answer_are_refused(
    settings: Settings, database: Connection, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.autocommit = True
    store(database, *(call(f"c{number}", to_num=f"{number}") for number in range(6)))
    archive_calls(settings, now=True)
    by_number = Question(selection=TOTAL.selection, groups=("prefix",))
    monkeypatch.setattr(spark_connect, "MAX_GROUPS", 6)
    assert len(archive.sum_calls(by_number, frozenset())) == 6
    monkeypatch.setattr(spark_connect, "MAX_GROUPS", 5)
    with pytest.raises(QuestionTooLarge, match="groups"):
        archive.sum_calls(by_number, frozenset())
    assert MAX_GROUPS == 50_000


def test_what_takes_too_long_is_refused_and_the_server_goes_on(
    settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's deadline ends the question; the next one is answered. Of a server that is killed: it counts on."""
    database.autocommit = True
    store(database, call("a"))
    archive_calls(settings, now=True)
    endless = "(SELECT count(*) FROM range(100000000) AS a CROSS JOIN range(100000000) AS b WHERE hash(a.id, b.id) = 1)"
    with running_sail() as url:
        slow, archive = (archive_with(settings, engine=SecretStr(url), engine_timeout=limit) for limit in (1, 20))
        with monkeypatch.context() as change:
            change.setitem(sql._MEASURES, "calls", f"count(*) + max({endless})")  # pyright: ignore[reportPrivateUsage]
            began = time.monotonic()
            with pytest.raises(QuestionTooLarge, match="takes longer than 1 seconds"):
                slow.sum_calls(TOTAL, frozenset())
            assert time.monotonic() - began < 30
        slow.close()
        assert archive.sum_calls(TOTAL, frozenset())[()].calls == 1
        archive.close()


def archive_with(settings: Settings, **changed: object) -> Archive:
    return Archive(settings.model_copy(update=changed), lambda: True)


def test_a_server_that_is_away_is_named_at_once(settings: Settings, database: Connection) -> None:
    """A closed port; and no retry of the client's own, which would take minutes."""
    database.autocommit = True
    store(database, call("a"))
    archive_calls(settings, now=True)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = archive_with(settings, engine=SecretStr(f"sc://127.0.0.1:{closed.getsockname()[1]}"))
        began = time.monotonic()
        with pytest.raises(EngineUnavailable, match="TOLLBOOK_ENGINE"):
            away.sum_calls(TOTAL, frozenset())
        assert time.monotonic() - began < 20
        away.close()


def test_a_server_that_says_nothing_is_given_up(
    settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the connection and never answers."""
    database.autocommit = True
    store(database, call("a"))
    archive_calls(settings, now=True)
    monkeypatch.setattr(spark_connect, "_ANSWER_S", 0.5)
    monkeypatch.setattr(spark_connect, "_FORGET_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = archive_with(settings, engine=SecretStr(f"sc://127.0.0.1:{silent.getsockname()[1]}"))
        began = time.monotonic()
        with pytest.raises(EngineUnavailable):
            mute.sum_calls(TOTAL, frozenset())
        assert time.monotonic() - began < 20
        mute.close()


def test_a_server_that_restarts_is_asked_again(
    settings: Settings, database: Connection, database_url: str, tmp_path: Path
) -> None:
    """No session of the one before is needed."""
    database.autocommit = True
    store(database, call("a"))
    archive_calls(settings, now=True)
    for _ in range(2):
        with running_sail() as url:
            archive = Archive(settings_of(database_url, tmp_path, url), lambda: True)
            assert archive.sum_calls(TOTAL, frozenset())[()].calls == 1
            archive.close()


def test_a_question_leaves_nothing_behind(settings: Settings, database: Connection, archive: Archive) -> None:
    """Neither a session, nor a thread, however many are asked."""
    database.autocommit = True
    store(database, call("a"))
    archive_calls(settings, now=True)

    def sessions() -> int:
        gc.collect()
        return sum(type(kept).__name__ == "SparkConnectClient" for kept in gc.get_objects())

    archive.sum_calls(TOTAL, frozenset())
    before, threads = sessions(), threading.active_count()
    for _ in range(3):
        archive.sum_calls(TOTAL, frozenset())
    assert sessions() <= before
    assert threading.active_count() <= threads


@pytest.mark.parametrize("url", ["http://host:15002", "sc://", "sc:///x", "sc://host/path", "host:15002"])
def test_a_wrong_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="write sc://HOST:15002"):
        Settings(engine=SecretStr(url))


def test_without_its_client_the_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With how to install it, and that the default needs nothing."""
    finder = SimpleNamespace(find_spec=lambda name: None if name == "pyspark" else object())
    monkeypatch.setattr(config, "PathFinder", finder)
    with pytest.raises(ValidationError, match=r"pip install 'tollbook\[spark\]'"):
        Settings(engine=SecretStr("sc://host:15002"))
