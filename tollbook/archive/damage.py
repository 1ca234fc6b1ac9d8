"""Whether a file of the archive is why a reading failed: pyiceberg and pyarrow raise all sorts of errors for damage.

What they raised does not tell damage from a storage that is away. So the files that were to be read are fetched once
more, after the failure, and looked at by themselves: fetching fails for a storage that is away, looking for damage. The
first that cannot be fetched ends it, for the others would be waited for as long.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

import pyarrow
import pyarrow.parquet
from pyiceberg.io import FileIO
from pyiceberg.manifest import ManifestFile, read_manifest_list
from pyiceberg.table import Table

from tollbook.archive import checksums
from tollbook.errors import ArchiveDamaged, TollbookError

REMEDY: Final = (
    "see `tollbook archive verify`, which says whose calls are affected and what brings them back; is the storage there"
    " (mounted, the right bucket)?"
)

_pa: Any = pyarrow
_parquet: Any = pyarrow.parquet


class ListedFile(Protocol):
    """A data file as a list of the archive's files has it: pyiceberg's DataFile, or ours."""

    @property
    def file_path(self) -> str:
        """Return where it is."""
        ...

    @property
    def file_size_in_bytes(self) -> int:
        """Return its size."""
        ...

    @property
    def record_count(self) -> int:
        """Return how many rows it has."""
        ...


@contextmanager
def naming_damage(io: FileIO, files: Iterable[ListedFile]) -> Generator[None]:
    """Raise ArchiveDamaged in place of any error that a missing or damaged data file explains; others stay."""
    try:
        yield
    except TollbookError:
        raise
    except Exception as error:
        for file in files:
            content = _fetch(io, file.file_path)
            if content is None:
                break
            damage = content_damage(file, content) if isinstance(content, bytes) else content
            _raise_if(file.file_path, damage, error)
        raise


@contextmanager
def naming_damaged_lists(table: Table, *, every_snapshot: bool = False) -> Generator[None]:
    """Raise ArchiveDamaged in place of any error that a missing or damaged list of data files explains; others stay.

    The lists are those of the current snapshot, or with `every_snapshot` of all that the table has.
    """
    try:
        yield
    except TollbookError:
        raise
    except Exception as error:
        for location, damage in damaged_lists(table, every_snapshot=every_snapshot):
            if damage is None:
                break
            _raise_if(location, damage, error)
        raise


def content_damage(file: ListedFile, content: bytes) -> str | None:
    """Return what is wrong with a data file's content, all of which is read; None if nothing is."""
    if len(content) != file.file_size_in_bytes:
        return f"has {len(content)} bytes, not {file.file_size_in_bytes}"
    try:
        parquet = _parquet.ParquetFile(_pa.BufferReader(content), **checksums.VERIFY)
        rows = sum(parquet.read_row_group(number).num_rows for number in range(parquet.num_row_groups))
    except Exception as error:  # noqa: BLE001 - all that can go wrong here is the file's fault
        return f"is damaged ({_message(error)})"
    return None if rows == file.record_count else f"has {rows} rows, not {file.record_count}"


def damaged_lists(table: Table, *, every_snapshot: bool = False) -> Iterator[tuple[str, str | None]]:
    """Yield the lists of data files of the current snapshot that are missing or damaged, and what is wrong with each.

    None stands for one that cannot be fetched. With `every_snapshot`, the lists are those of all that the table has.
    """
    current = table.current_snapshot()
    snapshots = table.metadata.snapshots if every_snapshot else [] if current is None else [current]
    manifests: dict[str, ManifestFile] = {}
    for snapshot in snapshots:
        listed = read_list(table.io, snapshot.manifest_list)
        if isinstance(listed, list):
            manifests |= {manifest.manifest_path: manifest for manifest in listed}
        else:
            yield snapshot.manifest_list, listed
    for manifest in manifests.values():
        content = _fetch(table.io, manifest.manifest_path)
        if isinstance(content, bytes):
            if len(content) != manifest.manifest_length:
                yield manifest.manifest_path, f"has {len(content)} bytes, not {manifest.manifest_length}"
                continue
            try:
                check_count(manifest, len(manifest.fetch_manifest_entry(table.io)))
            except Exception as error:  # noqa: BLE001 - it was fetched a moment ago
                yield manifest.manifest_path, f"is damaged ({_message(error)})"
        else:
            yield manifest.manifest_path, content


def check_count(manifest: ManifestFile, files: int) -> None:
    """Raise ValueError if a list names another number of the table's files than the manifest list says that it does.

    One of Iceberg's first version need not say.
    """
    added, kept = manifest.added_files_count, manifest.existing_files_count
    if added is not None and kept is not None and files != added + kept:
        raise ValueError(f"{manifest.manifest_path} names {files} files, not {added + kept}")


def read_list(io: FileIO, location: str) -> list[ManifestFile] | str | None:
    """Read a manifest list; return what is wrong with it if it is missing or damaged; None if it cannot be fetched."""
    content = _fetch(io, location)
    if not isinstance(content, bytes):
        return content
    try:
        return list(read_manifest_list(io.new_input(location)))
    except Exception as error:  # noqa: BLE001 - it was fetched a moment ago
        return f"is damaged ({_message(error)})"


def _fetch(io: FileIO, location: str) -> bytes | str | None:
    """Return a file's content; what is wrong if there is none; None if the storage does not say."""
    try:
        with io.new_input(location).open() as stream:
            return bytes(stream.read())
    except FileNotFoundError:
        return "is missing"
    except OSError:
        return None


def _raise_if(location: str, damage: str | None, error: Exception) -> None:
    if damage is not None:
        raise ArchiveDamaged(f"{location} {damage}: {REMEDY}", location) from error


def _message(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
