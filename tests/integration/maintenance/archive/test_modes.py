"""No stranger on the machine reads the archive, and its group does, whatever the umask of the processes is."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from maintenance.compaction.run import compact_archive
from tests.archiving import archive_now, archived, stored
from tests.databases import store
from tests.factories import START_MS, call
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.file_io import DurableFileIO
from tollbook.config import Settings
from tollbook.errors import ArchiveError
from tollbook.store.database import Connection

PREFIX = "PYICEBERG_CATALOG__TOLLBOOK__"


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """The umask of this process."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(folder: Path) -> tuple[set[str], set[str]]:
    """The modes of the files and of the folders below a folder."""
    files, folders = set[str](), set[str]()
    for path in folder.rglob("*"):
        (folders if path.is_dir() else files).add(oct(stat.S_IMODE(path.stat().st_mode)))
    return files, folders


@pytest.mark.usefixtures("umask")
def test_files_are_0640_and_folders_0750(local_settings: Settings, database: Connection) -> None:
    """Data, manifests and metadata, of the archiver and of a compaction, and the index of call ids with what it is."""
    for number in range(2):
        store(database, call(f"c{number}", "acme", START_MS + number))
        archive_now(local_settings)
    assert compact_archive(local_settings).compacted.files_after == 1
    kinds = {path.suffix for path in (local_settings.data_dir / "archive").rglob("*") if path.is_file()}
    assert kinds == {".parquet", ".avro", ".json", ".txt"}
    assert modes(local_settings.data_dir / "archive") == ({"0o640"}, {"0o750"})


@pytest.mark.usefixtures("umask")
def test_a_catalog_in_an_sqlite_file_is_0640(
    local_settings: Settings, database: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archiver creates it; a mere reader creates nothing, not even an empty file."""
    folder = tmp_path / "a catalog"
    monkeypatch.setenv(f"{PREFIX}TYPE", "sql")
    monkeypatch.setenv(f"{PREFIX}URI", f"sqlite:///{folder / 'catalog.db'}")
    monkeypatch.setenv(f"{PREFIX}WAREHOUSE", f"file://{folder / 'files'}")
    with open_catalog(local_settings) as catalog, pytest.raises(ArchiveError):
        load_calls(catalog)
    assert not folder.exists()
    store(database, call("c", "acme", START_MS))
    archive_now(local_settings)
    assert archived(local_settings) == stored(database)
    assert modes(folder) == ({"0o640"}, {"0o750"})


@pytest.mark.usefixtures("umask")
def test_a_folder_of_the_operator_s_keeps_its_mode(local_settings: Settings, database: Connection) -> None:
    """Only what the archiver makes gets its modes."""
    warehouse = local_settings.data_dir / "archive"
    warehouse.mkdir()
    warehouse.chmod(0o2770)
    store(database, call("c", "acme", START_MS))
    archive_now(local_settings)
    assert stat.S_IMODE(warehouse.stat().st_mode) == 0o2770


@pytest.mark.parametrize("content", [b"as long", b"short", b"longer than before"])
def test_a_file_is_overwritten_in_place_and_keeps_its_mode(tmp_path: Path, content: bytes) -> None:
    """Whatever length it had: nothing of the old content is left."""
    files, path = DurableFileIO(), tmp_path / "head.json"
    for written in (b"before.", content):
        with files.new_output(f"file://{path}").create(overwrite=True) as stream:
            stream.write(written)
    assert path.read_bytes() == content
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
