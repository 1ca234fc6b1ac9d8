"""The spool: legs on disk while PostgreSQL is away, in numbered segments.

Writing a leg twice changes nothing, because facts only accumulate. So a segment is kept until the last of its legs is
committed, and no position within it is remembered.

What the disk refuses is returned, not raised: the caller of `append` still holds the legs and must keep them.
"""

import contextlib
import fcntl
import io
import os
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from esl_listener.segment import Segment, decode_segment, encode_record
from tollbook.errors import SettingsError
from tollbook.model.leg import Leg, merge_all
from tollbook.spool_files import MAX_LISTENERS, segment_number, segment_path, segments, spool_folders

# 4 MiB are about 3,000 legs: a second of replaying, and small enough to be read whole.
SEGMENT_BYTES = 4 * 1024 * 1024


class SpoolHeld(SettingsError):
    """Another listener has the spool."""


class Spool:
    """The spool of one listener. All methods block, and one thread at a time may call them.

    `bytes` and `waiting` are plain numbers that any thread may read.
    """

    def __init__(self, folder: Path, max_bytes: int, others: Iterable[Path] = ()) -> None:
        """`others`: where other listeners on the same data directory have theirs."""
        self.folder = folder
        self._others = [other for other in others if other != folder]
        self.max_bytes = max_bytes
        self.bytes = 0
        self._lock: io.FileIO | None = None
        self._closed: deque[tuple[Path, int]] = deque()
        self._number = 0
        self._file: io.FileIO | None = None
        self._path = folder
        self._size = 0

    @property
    def waiting(self) -> int:
        """Count the segments that nobody has taken."""
        return len(self._closed) + (self._file is not None)

    def open(self) -> None:
        """Lock the folder, and find what an earlier listener left.

        Raises SpoolHeld when another listener has it, SettingsError when the folder cannot be used.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sync_folder(self.folder.parent)
            self._lock = io.FileIO(self.folder / "lock", "a")
            # The kernel releases the lock when the process ends, however it ends.
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = [(path, path.stat().st_size) for path in segments(self.folder)]
        except BlockingIOError as error:
            self.close()
            raise SpoolHeld(
                f"another listener is using {self.folder}: give each its own TOLLBOOK_DATA_DIR, or stop the other one"
            ) from error
        except OSError as error:
            self.close()
            raise SettingsError(
                f"TOLLBOOK_DATA_DIR: the spool {self.folder} cannot be used: {error.strerror}"
            ) from error
        self._closed.extend(found)
        self.bytes = sum(size for _, size in found)
        self._number = segment_number(found[-1][0]) if found else 0

    def adopt_all(self) -> None:
        """Take over what listeners that are gone left in the other folders. What the disk refuses is tried again."""
        with contextlib.suppress(OSError):
            for other in self._others:
                if segments(other):
                    self.adopt(other)

    def adopt(self, other: Path) -> None:
        """Take over what a listener that is gone left in another folder; do nothing when it is still there."""
        abandoned = Spool(other, self.max_bytes)
        with contextlib.suppress(SettingsError):
            abandoned.open()
            for path, size in abandoned._closed:
                self._number += 1
                # One file system, so a rename: a kill in between leaves each segment in one of the two folders.
                mine = path.replace(segment_path(self.folder, self._number))
                self._closed.append((mine, size))
                self.bytes += size
            _sync_folder(self.folder)
        abandoned.close()

    def append(self, legs: Iterable[Leg]) -> str:
        """Write legs and wait until they are on the disk. Return '' when they are, else what prevents it."""
        data = b"".join(map(encode_record, legs))
        if self.bytes + len(data) > self.max_bytes:
            return f"TOLLBOOK_SPOOL_MAX is {self.max_bytes} bytes, and {self.bytes} are waiting"
        try:
            file = self._file or self._begin_segment()
            _write_all(file, data)
            os.fsync(file)
        except OSError as error:
            self._end_segment(error)
            return error.strerror or str(error)
        self._size += len(data)
        self.bytes += len(data)
        if self._size >= SEGMENT_BYTES:
            self._end_segment()
        return ""

    def take(self) -> Segment | None:
        """Read the oldest segment, None when there is none. It is not taken again before the next start."""
        if not self._closed:
            self._end_segment()
        if not self._closed:
            return None
        path, size = self._closed.popleft()
        try:
            found = decode_segment(path.read_bytes())
        except OSError as error:
            return Segment(path=path, size=size, legs=[], problem=error.strerror or str(error))
        legs = list(merge_all(found.legs).values())
        return Segment(path=path, size=size, legs=legs, damaged=found.damaged, torn_bytes=found.torn_bytes)

    def remove(self, segment: Segment) -> str:
        """Delete a segment whose legs are committed. Return '' or what prevents it."""
        try:
            segment.path.unlink()
        except OSError as error:
            return error.strerror or str(error)
        self.bytes -= segment.size
        return ""

    def close(self) -> None:
        """Unlock the folder; what waits in it stays."""
        self._end_segment()
        if self._lock is not None:
            self._lock.close()

    def _begin_segment(self) -> io.FileIO:
        self._number += 1
        self._path = segment_path(self.folder, self._number)
        self._size = 0
        self._file = io.FileIO(self._path, "x")
        _sync_folder(self.folder)
        return self._file

    def _end_segment(self, failure: OSError | None = None) -> None:
        """Close the segment that is being written; after a failure, without the part that may not be on the disk."""
        file, self._file = self._file, None
        if file is None:
            return
        with contextlib.suppress(OSError):
            if failure:
                file.truncate(self._size)
            file.close()
        if self._size:
            self._closed.append((self._path, self._size))
        else:
            with contextlib.suppress(OSError):
                self._path.unlink()


def open_own_spool(data_dir: Path, max_bytes: int) -> Spool:
    """Open the first spool that no other listener holds, and adopt what listeners that are gone left in the others.

    Raises SettingsError when the folder cannot be used, or MAX_LISTENERS share it already.
    """
    folders = spool_folders(data_dir)
    for folder in folders:
        spool = Spool(folder, max_bytes, folders)
        try:
            spool.open()
        except SpoolHeld:
            continue
        spool.adopt_all()
        return spool
    raise SettingsError(f"{MAX_LISTENERS} listeners are using {data_dir}: give this one its own TOLLBOOK_DATA_DIR")


def _write_all(file: io.FileIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]  # a disk that is filling up takes only a part


def _sync_folder(folder: Path) -> None:
    """Put the folder's names on the disk: a file's own fsync does not."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
