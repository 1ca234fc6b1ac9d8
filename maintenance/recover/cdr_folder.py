"""The folder that mod_json_cdr writes to, and the folders in it that its files are moved to.

The switch's user owns it, so nothing in it is trusted: every name is opened and moved relative to the folder that was
opened at the start, and never through a link, which could lead us to read or replace files anywhere.
"""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from tollbook.errors import SettingsError, UsageError

DONE: Final = "done"
REFUSED: Final = "refused"
LATE: Final = "late"

_LOCK_CHECK_S = 0.2
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Not a link, and not a named pipe that nobody writes to, which would hold us up for ever.
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FileVersion(NamedTuple):
    """What tells a file from another of the same name, and from itself once it is written to again."""

    inode: int
    bytes: int
    written_ns: int


class FileTooLarge(Exception):
    """A file has more bytes than are read."""


class CdrFolder:
    """The open folder; `path` is for messages only."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._targets: dict[str, int] = {}

    def lock(self, wait_s: float) -> bool:
        """Be the only `recover` in this folder, waiting at most so long for another one; return whether we are."""
        deadline_s = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline_s:
                    return False
                time.sleep(_LOCK_CHECK_S)
            except OSError:
                return True  # NFS locks no folders. Two at once only do some of the work twice.
            else:
                return True

    def names(self) -> list[str]:
        """Return the names of the *.json files, in order.

        Names, and not paths: of a million files these take 120 MB, paths would take 500.
        """
        with os.scandir(self._descriptor) as entries:
            return sorted(
                entry.name
                for entry in entries
                if entry.name.endswith(".json") and not entry.is_dir(follow_symlinks=False)
            )

    def version(self, name: str) -> FileVersion:
        """Return which file has this name now; raise OSError. Of a link, it is the link's."""
        status = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        return FileVersion(inode=status.st_ino, bytes=status.st_size, written_ns=status.st_mtime_ns)

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading; raise OSError, also for what is no regular file."""
        descriptor = os.open(name, _FILE_FLAGS, dir_fd=self._descriptor)
        file = os.fdopen(descriptor, "rb")
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            file.close()
            raise OSError(errno.EINVAL, "not a regular file")
        return file

    def read(self, name: str, most_bytes: int) -> tuple[bytes, float]:
        """Return a file's content and when it was last written; raise OSError or FileTooLarge."""
        with self.open(name) as file:
            written_s = os.fstat(file.fileno()).st_mtime
            # One byte more than allowed: a file may grow after it was measured.
            content = file.read(most_bytes + 1)
        if len(content) > most_bytes:
            raise FileTooLarge
        return content, written_s

    def move(self, name: str, version: FileVersion, target: str) -> bool:
        """Move a file into a folder beside it, made if it is missing; return whether it is no longer in the way.

        A file that was replaced or written to since it had this version stays, because nobody has read that one. A file
        that is gone was moved by another program. Raises SettingsError.
        """
        folder = self._target(target)
        try:
            if self.version(name) != version:
                return False
            os.rename(name, name, src_dir_fd=self._descriptor, dst_dir_fd=folder)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise SettingsError(f"{self.path / name} cannot be moved to {target}/: {error.strerror}") from error
        return True

    def remove(self, name: str) -> None:
        """Delete a file, or a link but never what it leads to; do nothing if it is gone. Raises SettingsError."""
        try:
            os.unlink(name, dir_fd=self._descriptor)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise SettingsError(f"{self.path / name} cannot be deleted: {error.strerror}") from error

    def moved_to(self, target: str) -> "CdrFolder | None":
        """Return the folder of the files that were moved to a target, for the caller to close; None if there is none.

        Raises SettingsError.
        """
        try:
            os.stat(target, dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return CdrFolder(self.path / target, self._open_target(target))

    def check_targets(self) -> None:
        """Raise SettingsError when a folder that files are moved to is there and is not a real one of ours."""
        for target in (DONE, REFUSED, LATE):
            with suppress(FileNotFoundError):
                os.stat(target, dir_fd=self._descriptor, follow_symlinks=False)
                self._target(target)

    def close(self) -> None:
        """Close the folder, and so give up its lock."""
        for descriptor in (*self._targets.values(), self._descriptor):
            os.close(descriptor)

    def _target(self, name: str) -> int:
        found = self._targets.get(name)
        if found is None:
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=self._descriptor)
            found = self._targets[name] = self._open_target(name)
        return found

    def _open_target(self, name: str) -> int:
        where = self.path / name
        try:
            descriptor = os.open(name, _FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=self._descriptor)
        except OSError as error:
            raise SettingsError(
                f"{where} must be a real folder that we may write to, and not a link or a file:"
                f" remove it, and the next run makes it ({error.strerror})"
            ) from error
        if os.fstat(descriptor).st_dev != os.fstat(self._descriptor).st_dev:
            os.close(descriptor)
            raise SettingsError(f"{where} is on another file system, and files are moved by renaming: unmount it")
        return descriptor


@contextmanager
def open_folder(path: Path) -> Generator[CdrFolder]:
    """Open the folder; raise UsageError when we may not read and move files in it, SettingsError for its targets."""
    try:
        descriptor = os.open(path, _FOLDER_FLAGS)
    except OSError as error:
        raise UsageError(f"{path} cannot be used ({error.strerror}): name mod_json_cdr's log-dir") from error
    folder = CdrFolder(path, descriptor)
    try:
        if not os.access(".", os.R_OK | os.W_OK | os.X_OK, dir_fd=descriptor):
            raise UsageError(f"{path} is no folder that we may read and move files in: name mod_json_cdr's log-dir")
        folder.check_targets()
        yield folder
    finally:
        folder.close()
