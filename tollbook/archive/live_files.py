"""The data files of the archive's newest state, for readers that look for single calls: each list is read once.

Planning 24,000 files takes pyiceberg a second, most of it to read their lists (manifests) again. A list never changes,
so a process keeps what it has read of those that the newest state names.
"""

import threading
from collections.abc import Iterator
from itertools import chain
from typing import Final, NamedTuple, cast

from pyiceberg.manifest import ManifestContent, ManifestFile
from pyiceberg.table import Table

from tollbook.archive.bounds import starts_between
from tollbook.archive.damage import naming_damaged_lists
from tollbook.archive.list_entries import (
    ACCOUNT,
    FILE_SIZE,
    LOWER_BOUNDS,
    MONTH,
    PATH,
    RECORD_COUNT,
    UPPER_BOUNDS,
    read_entries,
)
from tollbook.archive.row_groups import DELETE_FILES_REFUSED
from tollbook.errors import SchemaError

# Some 40 MB. What a larger archive has beyond that is read each time.
MAX_KEPT_FILES: Final = 100_000

_VALUES: Final = (PATH, FILE_SIZE, RECORD_COUNT, ACCOUNT, MONTH, LOWER_BOUNDS, UPPER_BOUNDS)
_ANY_TIME: Final = (-(2**63), 2**63 - 1)


class LiveFile(NamedTuple):
    """A data file: whose calls it has, by their name in the archive, and when the first and the last began, epoch µs.

    The first three are named as pyiceberg's DataFile names them.
    """

    file_path: str
    file_size_in_bytes: int
    record_count: int
    account: str
    month: int
    first_us: int
    last_us: int


class LiveFiles:
    """Lists the files of a table's newest state; for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of_list: dict[str, tuple[LiveFile, ...]] = {}

    def of(self, table: Table) -> Iterator[LiveFile]:
        """Yield the files of a loaded table.

        Raises ArchiveDamaged, SchemaError for rows that another engine has deleted without rewriting their files, and
        what pyiceberg raises.
        """
        with naming_damaged_lists(table):
            manifests = _data_manifests(table)
            with self._lock:
                known = self._of_list
            lists = {
                manifest.manifest_path: known.get(manifest.manifest_path) or _read(table, manifest)
                for manifest in manifests
            }
        with self._lock:
            self._of_list = _first_of(lists)
        return chain.from_iterable(lists.values())


def partitions(table: Table) -> Iterator[tuple[str, int]]:
    """Yield account and month of each file of a loaded table, one list after the other; raises as `LiveFiles.of`."""
    with naming_damaged_lists(table):
        for manifest in _data_manifests(table):
            yield from cast("list[tuple[str, int]]", read_entries(table.io, manifest, (ACCOUNT, MONTH)))


def _data_manifests(table: Table) -> list[ManifestFile]:
    snapshot = table.current_snapshot()
    manifests = snapshot.manifests(table.io) if snapshot else []
    if any(manifest.content == ManifestContent.DELETES for manifest in manifests):
        raise SchemaError(DELETE_FILES_REFUSED)
    return manifests


def _read(table: Table, manifest: ManifestFile) -> tuple[LiveFile, ...]:
    return tuple(
        LiveFile(path, size, rows, account, month, *(starts_between(lowest, highest) or _ANY_TIME))
        for path, size, rows, account, month, lowest, highest in read_entries(table.io, manifest, _VALUES)
    )


def _first_of(lists: dict[str, tuple[LiveFile, ...]]) -> dict[str, tuple[LiveFile, ...]]:
    """Return those that together have no more than MAX_KEPT_FILES."""
    kept: dict[str, tuple[LiveFile, ...]] = {}
    room = MAX_KEPT_FILES
    for location, files in lists.items():
        if len(files) <= room:
            kept[location] = files
            room -= len(files)
    return kept
