"""A file of the archive is missing or damaged: whoever reads it says so with code 74, names it, and changes nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile

from tests.archiving import archive_now, archived, stored, waiting
from tests.commands import Tollbook
from tests.databases import store
from tests.factories import START_MS, call
from tollbook.archive import damage
from tollbook.archive._pyarrow import plan_files
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.damage import content_damage
from tollbook.archive.live_files import LiveFiles
from tollbook.archive.row_filter import started
from tollbook.config import Settings
from tollbook.errors import ArchiveDamaged, ArchiveError
from tollbook.store.database import Connection
from tollbook.times import MS_PER_DAY

TODAY = START_MS // MS_PER_DAY + 60


def missing(path: Path) -> None:
    path.unlink()


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    pages_end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for position in range(8, pages_end, 16):
        content[position] ^= 16
    path.write_bytes(content)


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


@pytest.fixture
def whole(local_settings: Settings, database: Connection) -> Settings:
    """Two files of acme's September; the calls are in PostgreSQL too."""
    for name in ("a", "b"):
        store(database, call(name), with_legs=True)
        archive_now(local_settings)
    return local_settings


def paths(settings: Settings) -> tuple[Path, Path, Path]:
    """A data file, a manifest, and the manifest list, that the archive cannot be read without."""
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        (task, *_) = plan_files(table, started(0, START_MS * 1000 + 1))
        snapshot = table.current_snapshot()
        assert snapshot is not None
        manifest = snapshot.manifests(table.io)[0].manifest_path
    first, second, third = (
        Path(location.removeprefix("file://")) for location in (task.file.file_path, manifest, snapshot.manifest_list)
    )
    return first, second, third


@pytest.mark.parametrize(
    ("which", "harm"),
    [(0, flipped), *((which, harm) for which in range(3) for harm in (missing, cut_off, zeroed))],
)
def test_every_command_that_reads_it_ends_with_74_and_names_it(
    whole: Settings, database: Connection, tollbook: Tollbook, which: int, harm: Callable[[Path], None]
) -> None:
    """Query, rerate, prune, compact and a correction; PostgreSQL and the archive stay as they are, and heal."""
    path = paths(whole)[which]
    content, expected = path.read_bytes(), stored(database)
    harm(path)
    folder = {"data_dir": str(whole.data_dir)}
    store(database, call("a", cost_micros=99), call("b", cost_micros=99))
    for command in (
        ["archive", "query", "--all"],
        ["rerate", "--since", "2026-01-01", "--dry-run"],
        ["prune"],
        ["archive", "compact", "--remove-orphans"],
        ["archive", "run", "--now"],
    ):
        if command[0] == "rerate":
            database.execute("UPDATE hot_window SET window_start = %s", ((TODAY - 30) * MS_PER_DAY,))
        done = tollbook(*command, **folder)
        database.execute("UPDATE hot_window SET window_start = 0")
        assert (done.returncode, path.name in done.stderr) == (74, True), (command, done.stdout, done.stderr)
        assert "tollbook archive verify" in done.stderr
        assert "nothing is lost" not in done.stderr
    assert {record[0] for record in stored(database)} == {record[0] for record in expected}
    assert waiting(database) == 2
    path.write_bytes(content)
    archive_now(whole)
    assert archived(whole) == stored(database)


@pytest.mark.parametrize("harm", [cut_off, zeroed])
def test_a_damaged_manifest_list_is_named_by_who_only_adds_to_it(
    whole: Settings, database: Connection, tollbook: Tollbook, harm: Callable[[Path], None]
) -> None:
    """A run of new calls alone reads nothing of the archive but that."""
    *_, path = paths(whole)
    content = path.read_bytes()
    harm(path)
    store(database, call("c"))
    done = tollbook("archive", "run", "--now", data_dir=str(whole.data_dir))
    assert (done.returncode, path.name in done.stderr) == (74, True), done.stderr
    path.write_bytes(content)
    archive_now(whole)
    assert archived(whole) == stored(database)


@pytest.mark.parametrize("harm", [cut_off, zeroed])
def test_a_damaged_list_of_an_older_snapshot_is_named_before_orphans_are_removed(
    whole: Settings, database: Connection, tollbook: Tollbook, harm: Callable[[Path], None]
) -> None:
    *_, path = paths(whole)
    store(database, call("c"))
    archive_now(whole)
    harm(path)
    done = tollbook("archive", "compact", "--remove-orphans", data_dir=str(whole.data_dir))
    assert (done.returncode, path.name in done.stderr) == (74, True), done.stderr
    assert archived(whole) == stored(database)


def test_doctor_lists_what_is_missing(whole: Settings, tollbook: Tollbook) -> None:
    folder = {"data_dir": str(whole.data_dir)}
    path, manifest, _ = paths(whole)
    assert "all 2 are there" in tollbook("doctor", **folder).stdout
    content = path.read_bytes()
    path.unlink()
    done = tollbook("doctor", **folder)
    assert done.returncode == 2
    assert f"1 of 2 are missing, among them {path.name}" in done.stdout
    path.write_bytes(content)
    manifest.unlink()
    done = tollbook("doctor", **folder)
    assert done.returncode == 2
    assert manifest.name in done.stdout


def test_a_storage_that_is_away_is_not_taken_for_damage(whole: Settings) -> None:
    """Fetching fails there, and that passes: a directory in the file's place cannot be read, but is not missing."""
    path, *_ = paths(whole)
    content = path.read_bytes()
    path.unlink()
    path.mkdir()
    with pytest.raises(ArchiveError) as caught:
        archived(whole)
    assert not isinstance(caught.value, ArchiveDamaged)
    path.rmdir()
    path.write_bytes(content)
    with open_catalog(whole) as catalog:
        table = load_calls(catalog)
        assert table is not None
        for task in plan_files(table, started(0, START_MS * 2000)):
            content = Path(task.file.file_path.removeprefix("file://")).read_bytes()
            assert content_damage(task.file, content) is None
            wrong = DataFile.from_args(
                file_path=task.file.file_path, file_size_in_bytes=task.file.file_size_in_bytes, record_count=7
            )
            assert content_damage(wrong, content) == "has 1 rows, not 7"


def first_removed(path: Path) -> None:
    """Let a list say of its first file that a commit removed it."""
    content = bytearray(path.read_bytes())
    status = content.index(content[-16:]) + 16 + 3  # behind a count of one and a size of two bytes
    assert content[status] == 2
    content[status] = 4
    path.write_bytes(content)


def test_a_list_that_lost_a_file_is_named(whole: Settings, database: Connection, tollbook: Tollbook) -> None:
    """By who reads lists alone: the index of calls, what a compaction counts, and `archive verify`."""
    _, path, _ = paths(whole)
    content = path.read_bytes()
    first_removed(path)
    for command in (["archive", "compact"], ["archive", "verify"]):
        done = tollbook(*command, data_dir=str(whole.data_dir))
        assert (done.returncode, path.name in done.stdout + done.stderr) == (74, True), (done.stdout, done.stderr)
        assert "0 files, not 1" in done.stdout + done.stderr
    with open_catalog(whole) as catalog:
        table = load_calls(catalog)
        assert table is not None
        with pytest.raises(ArchiveDamaged, match=path.name):
            LiveFiles().of(table)
    path.write_bytes(content)
    assert archived(whole) == stored(database)


@pytest.mark.parametrize("kind", ["data files", "manifests"])
def test_a_storage_that_is_away_is_asked_once_more_for_one_file(
    whole: Settings, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Each further one would be waited for as long as the first."""
    with open_catalog(whole) as catalog:
        table = load_calls(catalog)
        assert table is not None
        snapshot = table.current_snapshot()
        assert snapshot is not None
        data = [task.file.file_path for task in plan_files(table, started(0, START_MS * 2000))]
        lists = [manifest.manifest_path for manifest in snapshot.manifests(table.io)]
    away = data if kind == "data files" else lists
    assert len(away) > 1
    for location in away:
        path = Path(location.removeprefix("file://"))
        path.unlink()
        path.mkdir()
    asked: list[str] = []

    def fetch(io: FileIO, location: str) -> bytes | str | None:
        asked.append(location)
        return fetched(io, location)

    fetched = damage._fetch
    monkeypatch.setattr(damage, "_fetch", fetch)
    with pytest.raises(ArchiveError):
        archived(whole)
    assert len([location for location in asked if location in away]) == 1
