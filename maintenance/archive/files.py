"""The files that the archive's metadata names: the data files of the current snapshot, or all."""

from collections.abc import Iterator

from pyiceberg.manifest import DataFile, ManifestFile
from pyiceberg.table import ALWAYS_TRUE, Table

from tollbook.archive._pyarrow import plan_files
from tollbook.archive.damage import naming_damaged_lists
from tollbook.archive.storage import Storage


def count_files(table: Table) -> int:
    """Return how many data files the current snapshot names, by its summary; raises nothing."""
    return _of_summary(table, "total-data-files")


def count_rows(table: Table) -> int:
    """Return how many rows the current snapshot has, by its summary; raises nothing."""
    return _of_summary(table, "total-records")


def data_files(table: Table) -> list[DataFile]:
    """List the data files of the current snapshot; raises ArchiveDamaged, and what pyiceberg raises."""
    return [task.file for task in plan_files(table, ALWAYS_TRUE)]


def missing_files(table: Table) -> list[str]:
    """List the data files that the storage does not have, in one listing; raises as `data_files`, and SettingsError."""
    named = {file.file_path for file in data_files(table)}
    storage = Storage(table.io, table.location())
    stored = {file.path for file in storage.files("data")}
    return sorted(location for location in named if storage.path(location) not in stored)


def kept_manifests(table: Table) -> Iterator[ManifestFile]:
    """Yield each manifest of the snapshots that the table has, once; raises what pyiceberg raises."""
    seen: set[str] = set()
    for snapshot in table.metadata.snapshots:
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path not in seen:
                seen.add(manifest.manifest_path)
                yield manifest


def named_paths(storage: Storage, table: Table) -> set[str]:
    """Return the paths of all files that the metadata or any snapshot names; raises as `data_files`."""
    with naming_damaged_lists(table, every_snapshot=True):
        return {storage.path(location) for location in _named_files(table)}


def _named_files(table: Table) -> Iterator[str]:
    """Yield the location of every file that the metadata or any snapshot names."""
    yield table.metadata_location
    for entry in table.metadata.metadata_log:
        yield entry.metadata_file
    for snapshot in table.metadata.snapshots:
        yield snapshot.manifest_list
    for manifest in kept_manifests(table):
        yield manifest.manifest_path
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
            yield entry.data_file.file_path


def _of_summary(table: Table, name: str) -> int:
    snapshot = table.current_snapshot()
    total = snapshot.summary[name] if snapshot is not None and snapshot.summary else None
    return int(total or 0)
