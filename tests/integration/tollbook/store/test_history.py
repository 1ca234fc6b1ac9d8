"""A database that was restored, copied or replaced is recognised, and begins a new epoch; any other one goes on."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.commands import Tollbook
from tests.databases import dump, on_server, restore
from tollbook.store.database import Connection, connect
from tollbook.store.history import accept, look, read_epoch, recognise, remember, restored


@pytest.fixture
def other_url(postgres_url: str) -> Iterator[str]:
    """The URL of a second database, empty and without a schema."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE history_other")
        yield on_server(postgres_url, "history_other")
        connection.execute("DROP DATABASE history_other WITH (FORCE)")


def test_a_database_that_goes_on_keeps_its_epoch(database: Connection, tmp_path: Path) -> None:
    """Whatever starts, and however often."""
    assert recognise(database, tmp_path) is None
    first = read_epoch(database)
    database.commit()
    remember(database, tmp_path)
    assert recognise(database, tmp_path) is None
    assert read_epoch(database) == first


def test_a_restored_dump_is_another_history(
    database: Connection, database_url: str, other_url: str, tmp_path: Path
) -> None:
    """Also when it is restored on the same server; until it is accepted, every process is told."""
    recognise(database, tmp_path)
    remember(database, tmp_path)
    dump(database_url, tmp_path / "dump")
    restore(other_url, tmp_path / "dump")
    with connect(other_url, name="test", autocommit=True) as other:
        assert read_epoch(other) != read_epoch(database)
        looked = look(other, tmp_path)  # the doctor's way: it says the same first, and writes nothing
        assert restored(other) is None
        found = recognise(other, tmp_path)
        assert found is not None
        assert looked is not None
        assert looked.how == found.how
        assert "a copy of another one" in str(found)
        assert "tollbook archive attach" in str(found)
        epoch = read_epoch(other)
        assert recognise(other, tmp_path) == found
        accept(other)
        assert recognise(other, tmp_path) is None
        assert read_epoch(other) == epoch
    database.rollback()
    assert restored(database) is None


def test_a_dump_that_is_restored_in_place_is_recognised(
    database: Connection, database_url: str, tmp_path: Path
) -> None:
    """The database is the same, its tables are not."""
    recognise(database, tmp_path)
    before = read_epoch(database)
    database.commit()
    dump(database_url, tmp_path / "dump")
    # `pg_restore --clean` cannot drop the indexes of partitions, so the schema is emptied first.
    database.execute("DROP SCHEMA public CASCADE")
    database.execute("CREATE SCHEMA public")
    database.commit()
    restore(database_url, tmp_path / "dump")
    found = recognise(database, tmp_path)
    assert found is not None
    assert found.how == "the tables of this database were restored from a dump"
    assert read_epoch(database) != before


def test_a_server_that_went_back_is_recognised_once(database: Connection, tmp_path: Path) -> None:
    """A physical copy has all that the database knows of itself; the data directory knows how far it had come."""
    recognise(database, tmp_path)
    remember(database, tmp_path)
    kept = json.loads((tmp_path / "history.json").read_text())
    (tmp_path / "history.json").write_text(json.dumps(kept | {"highest": kept["highest"] + 1_000_000}))
    before = read_epoch(database)
    database.commit()
    found = recognise(database, tmp_path)
    assert found is not None
    assert f"from transaction {kept['highest'] + 1_000_000}" in found.how
    after = read_epoch(database)
    assert after != before
    database.commit()
    assert recognise(database, tmp_path) == found
    accept(database)
    database.commit()
    assert recognise(database, tmp_path) is None
    assert read_epoch(database) == after


def test_a_new_database_beside_an_old_data_directory_is_recognised(database: Connection, tmp_path: Path) -> None:
    (tmp_path / "history.json").write_text('{"identity": "1/2/3", "highest": 4}')
    found = recognise(database, tmp_path)
    assert found is not None
    assert "this database is new" in found.how


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"identity": 1, "highest": "x"}'])
def test_a_file_that_cannot_be_read_stops_nobody(database: Connection, tmp_path: Path, text: str) -> None:
    (tmp_path / "history.json").write_text(text)
    assert recognise(database, tmp_path) is None


def test_the_api_s_role_reads_the_epoch(database: Connection) -> None:
    database.execute("SET ROLE tollbook_api")
    assert read_epoch(database)


def test_archive_run_writes_it_down_and_doctor_reports_it(
    database: Connection, tollbook: Tollbook, tmp_path: Path
) -> None:
    """And `archive run` says so in its log."""
    assert tollbook("archive", "run").returncode == 0
    path = tmp_path / "data" / "history.json"
    kept = json.loads(path.read_text())
    path.write_text(json.dumps(kept | {"highest": kept["highest"] + 1_000_000}))
    assert "the server went back" in tollbook("archive", "run").stderr
    assert json.loads(path.read_text())["highest"] < kept["highest"] + 1_000_000
    findings = json.loads(tollbook("doctor", "--json").stdout)["findings"]
    history = next(finding for finding in findings if finding["check"] == "history")
    assert history["status"] == "FAIL"
    assert history["commands"] == ["tollbook archive attach"]


def test_several_that_write_it_down_at_once_do_not_hinder_each_other(database_url: str, tmp_path: Path) -> None:
    def write() -> None:
        with connect(database_url, name="test", autocommit=True) as connection:
            for _ in range(50):
                remember(connection, tmp_path)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(write) for _ in range(4)]:
            done.result()
    assert [path.name for path in tmp_path.iterdir()] == ["history.json"]
