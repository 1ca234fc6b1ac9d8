"""Local files that survive a crash of the machine and that no stranger reads: pyiceberg itself never fsyncs.

A commit makes PostgreSQL point to a metadata file, durably. Before that, the file, the files that it names, and their
folders must be on the disk. Other storage, such as S3, confirms a file once it is durable; pyiceberg handles it
unchanged.

A file appears under its name once it is whole, as on S3; what a killed process leaves ends in `.part`.

Files are 0640 and folders 0750, whatever the umask: with a wide one every local user could read all calls, with a
narrow one the group that an operator gave to the folder could not.
"""

import io
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast

from pyiceberg.io import InputFile, OutputFile, OutputStream
from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO
from pyiceberg.typedef import EMPTY_DICT, Properties

from tollbook.archive._pyarrow import untyped

_FILE_MODE: Final = 0o640
_FOLDER_MODE: Final = 0o750


class DurableFileIO(PyArrowFileIO):
    """pyiceberg's FileIO on pyarrow, whose local files and their folders are fsynced when a file is closed."""

    def __init__(self, properties: Properties = EMPTY_DICT) -> None:
        super().__init__(properties)
        self._durable: set[Path] = set()  # folders whose own entry this process has fsynced

    def new_output(self, location: str) -> PyArrowFile:
        """Return a file to write at a location."""
        scheme, netloc, path = self.parse_location(location, self.properties)
        if scheme != "file":
            return super().new_output(location)
        return _LocalFile(location, path, untyped(self).fs_by_scheme(scheme, netloc), self._durable)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Delete a file; raises FileNotFoundError or OSError.

        After a delete, pyarrow writes a marker for the folder. Some S3 servers refuse it, although the file is gone.
        """
        try:
            super().delete(location)
        except FileNotFoundError:
            raise
        except OSError:
            if self.new_input(location if isinstance(location, str) else location.location).exists():
                raise


class _LocalFile(PyArrowFile):
    def __init__(self, location: str, path: str, filesystem: Any, durable: set[Path]) -> None:
        untyped(super()).__init__(location=location, path=path, fs=filesystem)
        self._durable = durable

    def create(self, overwrite: bool = False) -> OutputStream:
        """Open the file for writing, and make missing folders; raises FileExistsError or OSError."""
        path = Path(self._path)
        make_private_folder(path.parent)
        if overwrite and path.exists():
            return cast("OutputStream", _Overwriting(path))
        if path.exists():
            raise FileExistsError(f"{path} exists: a file of the archive is written once")
        return cast("OutputStream", _Stream(path, self._durable))


class _Stream(io.BufferedWriter):
    def __init__(self, path: Path, durable: set[Path]) -> None:
        self._part = _part_of(path)
        super().__init__(io.FileIO(self._part, "wb", opener=open_private))
        self._path = path
        self._durable = durable

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """Close it; what an error cut short keeps the name of a part."""
        if kind is None:
            self.close()
        else:
            super().close()

    def close(self) -> None:
        if self.closed:
            return
        try:
            self.flush()
            os.fsync(self.fileno())
        finally:
            super().close()
        self._part.replace(self._path)
        folder = self._path.parent
        _fsync_folder(folder)
        # A process may be killed after it made a folder and before it fsynced it: so each process fsyncs it once.
        for unsynced in _not_in(self._durable, folder):
            if not _fsync_folder(unsynced.parent):
                return
            self._durable.add(unsynced)


class _Overwriting(io.BufferedWriter):
    """Writes over a file in place. New bytes of the same length take half of the time that a new file takes."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path, "r+b", opener=open_private))

    def close(self) -> None:
        if self.closed:
            return
        try:
            self.flush()
            if self.tell() != os.fstat(self.fileno()).st_size:
                self.truncate()
            os.fdatasync(self.fileno())
        finally:
            super().close()


def create_private(path: Path) -> None:
    """Create an empty file with the modes of the archive, and its folders; leave one that exists as it is."""
    make_private_folder(path.parent)
    with suppress(FileExistsError):
        os.close(open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC))


def write_private(path: Path, content: bytes) -> None:
    """Write a file that is there whole and durable, or not at all, with the modes of the archive."""
    part = _part_of(path)
    with open(part, "wb", opener=open_private) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    _fsync_folder(path.parent)


def open_private(path: str | Path, flags: int) -> int:
    """Open a file, as `opener` of FileIO, with the mode of the archive's files."""
    opened = os.open(path, flags, _FILE_MODE)
    if os.fstat(opened).st_mode & 0o777 != _FILE_MODE:  # the umask took bits away
        os.fchmod(opened, _FILE_MODE)
    return opened


def make_private_folder(folder: Path) -> None:
    """Make the folders that are missing. Those that exist keep their modes: they are the operator's."""
    if folder.is_dir():
        return
    make_private_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir(mode=_FOLDER_MODE)
        folder.chmod(_FOLDER_MODE)  # the umask took bits away


def _part_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _not_in(durable: set[Path], folder: Path) -> Iterator[Path]:
    return (above for above in (folder, *folder.parents) if above not in durable and above != above.parent)


def _fsync_folder(folder: Path) -> bool:
    """Make a folder's entries durable; return False if we may not read it: then we did not make it either."""
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:
        return False
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
    return True
