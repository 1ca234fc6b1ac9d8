"""The files below a table's location, listed from its storage."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import PyArrowFileIO

from tollbook.archive._pyarrow import arrow_fs, untyped
from tollbook.errors import SettingsError


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredFile:
    """A file: its path in the storage, its size, and when it was written, in epoch s; 0 if unknown."""

    path: str
    bytes: int
    written_s: float


class Storage:
    """The storage of a location (`file:///…`, `s3://…`), with the settings of the table's or the catalog's FileIO."""

    def __init__(self, io: FileIO, location: str) -> None:
        """Raise SettingsError for a FileIO that cannot list files."""
        if not isinstance(io, PyArrowFileIO):
            raise SettingsError(
                f"{type(io).__name__} cannot list files: unset PYICEBERG_CATALOG__TOLLBOOK__PY_IO_IMPL for this command"
            )
        self._io = io
        self._scheme, self._netloc, self._root = io.parse_location(location, io.properties)
        self._filesystem: Any = untyped(io).fs_by_scheme(self._scheme, self._netloc)

    def path(self, location: str) -> str:
        """Return a location's path in the storage."""
        return self._io.parse_location(location, self._io.properties)[2]

    def location(self, path: str) -> str:
        """Return the location, a URI, of a path that was listed."""
        return f"{self._scheme}://{path}"

    def files(self, folder: str = "") -> Iterator[StoredFile]:
        """Yield the files below the location, or below a folder of it, in any order; none if it does not exist."""
        root = f"{self._root}/{folder}".rstrip("/")
        for found in self._filesystem.get_file_info(arrow_fs.FileSelector(root, recursive=True, allow_not_found=True)):
            if found.type == arrow_fs.FileType.File:
                yield StoredFile(path=found.path, bytes=found.size, written_s=(found.mtime_ns or 0) / 1e9)

    def delete(self, path: str) -> None:
        """Delete a file; do nothing if it is gone already."""
        with suppress(FileNotFoundError):
            self._io.delete(self.location(path))
