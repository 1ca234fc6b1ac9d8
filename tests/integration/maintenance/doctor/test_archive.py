"""`tollbook doctor` reports an archive that is not as this database left it, and raises no false alarm beside a run."""

import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from maintenance.archive.guard import load_checked
from tests.archiving import archive_now
from tests.commands import Tollbook
from tests.databases import store
from tests.factories import call
from tests.integration.maintenance.doctor.test_cli import examined
from tollbook.archive.catalog import load_archive, open_catalog
from tollbook.config import Settings
from tollbook.store.database import Connection, connect


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(database_url=SecretStr(database_url), data_dir=tmp_path)


@pytest.fixture
def archive_database(database_url: str, settings: Settings) -> Connection:
    """A connection in autocommit to a database of which one call is archived."""
    connection = connect(database_url, name="test", autocommit=True)
    store(connection, call("c1"))
    archive_now(settings)
    return connection


def test_a_state_of_another_database_is_a_failure(tollbook: Tollbook, archive_database: Connection) -> None:
    """With the file that was found, its time, and what to do."""
    with archive_database:
        archive_database.execute("UPDATE archive_commit SET commit_id = gen_random_uuid()")
        code, found = examined(tollbook("doctor", "--json"))
    assert (code, found["archive"]["status"]) == (2, "FAIL")
    assert "a state that this database did not write; its catalog leads to file://" in found["archive"]["found"]
    assert "`tollbook archive attach` goes on from the newest state" in found["archive"]["found"]
    assert list(found).index("archive") < list(found).index("spool")


def test_a_metadata_file_that_is_missing_is_a_failure(
    tollbook: Tollbook, settings: Settings, archive_database: Connection
) -> None:
    """It is named, and nobody says that nothing is lost."""
    with archive_database, open_catalog(settings) as catalog:
        table = load_archive(catalog)
        assert table is not None
        table.io.delete(table.metadata_location)
        _, found = examined(tollbook("doctor", "--json"))
    assert found["archive"]["status"] == "FAIL"
    assert f"metadata file is missing; {table.metadata_location};" in found["archive"]["found"]
    assert "tollbook archive attach" in found["archive"]["found"]
    assert "nothing is lost" not in str(found["archive"])


def test_a_run_that_goes_on_meanwhile_is_no_failure(settings: Settings, archive_database: Connection) -> None:
    """A check without the archiver's lock sees some of a commit's steps, and looks again."""
    ended = threading.Event()

    def runs() -> None:
        with connect(settings.require_database_url(), name="runs", autocommit=True) as connection:
            for number in range(12):
                store(connection, call(f"n{number}"))
                archive_now(settings)
        ended.set()

    thread = threading.Thread(target=runs)
    thread.start()
    checks = 0
    with archive_database, open_catalog(settings) as catalog:
        while not ended.is_set():
            assert load_checked(archive_database, catalog) is not None
            checks += 1
    thread.join(60)
    assert checks > 12
