"""Legs on disk while PostgreSQL is away: one checksummed record a leg, in numbered segment files.

Replaying a leg twice changes nothing, because facts only accumulate. So a segment is kept until the last of its legs
is committed, and no position within it is remembered.

What the disk refuses is told, not raised: whoever appends still holds the legs and must know why to keep them.
"""

import contextlib
import fcntl
import io
import os
import re
import struct
import zlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tollbook.errors import SettingsError
from tollbook.model.leg import Leg, merge_all

# The spool's folder in the data directory.
SPOOL = "spool"
# Listeners on one data directory: two beside each other while one replaces the other, a few for as many clusters.
MAX_LISTENERS = 8

# 4 MiB are about 3,000 legs: a second of replaying, and small enough to be read whole.
SEGMENT_BYTES = 4 * 1024 * 1024

# A record is _MAGIC, the length of its body and the body's CRC-32, then the body: a leg as JSON.
# UTF-8 never holds the byte 0xff, so no text of a caller's can look like the beginning of a record.
_MAGIC = b"\xffTB\xfe"
_HEADER = struct.Struct("<4sII")
_NAME = re.compile(r"([0-9]{16})\.spool")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Leg).decode


def record(leg: Leg) -> bytes:
    """Encode a leg as a record."""
    body = _encode(leg)
    return _HEADER.pack(_MAGIC, len(body), zlib.crc32(body)) + body


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """What the bytes of a segment hold: its legs in order, damaged stretches, and the length of a torn end."""

    legs: tuple[Leg, ...]
    damaged: tuple[bytes, ...]
    torn_bytes: int


def contents(data: bytes) -> Contents:
    """Read a segment. Damage costs the record it is in: reading goes on at the next sound one.

    A record that the end of the file cuts off was never promised to anybody.
    """
    legs: list[Leg] = []
    damaged: list[bytes] = []
    at = torn = 0
    while at < len(data):
        end = _end_of_sound(data, at)
        if end:
            try:
                legs.append(_decode(data[at + _HEADER.size : end]))
            except (msgspec.DecodeError, msgspec.ValidationError):
                damaged.append(data[at:end])
            at = end
            continue
        following = _next_sound(data, at + 1)
        if following == len(data) and _is_cut_off(data, at):
            torn = len(data) - at
        else:
            damaged.append(data[at:following])
        at = following
    return Contents(legs=tuple(legs), damaged=tuple(damaged), torn_bytes=torn)


def _end_of_sound(data: bytes, at: int) -> int:
    """Give where the sound record at `at` ends, 0 when there is none."""
    if len(data) - at < _HEADER.size:
        return 0
    magic, length, checksum = _HEADER.unpack_from(data, at)
    end = at + _HEADER.size + length
    if magic != _MAGIC or end > len(data):
        return 0
    return end if zlib.crc32(memoryview(data)[at + _HEADER.size : end]) == checksum else 0


def _next_sound(data: bytes, begin: int) -> int:
    """Find where the next sound record begins; the end of the data when there is none."""
    at = data.find(_MAGIC, begin)
    while at >= 0:
        if _end_of_sound(data, at):
            return at
        at = data.find(_MAGIC, at + 1)
    return len(data)


def _is_cut_off(data: bytes, at: int) -> bool:
    """Tell a record that was not written to its end from one that was, and was damaged later."""
    if len(data) - at < _HEADER.size:
        return True
    magic, length, _ = _HEADER.unpack_from(data, at)
    return magic != _MAGIC or at + _HEADER.size + length > len(data)


def segments(folder: Path) -> list[Path]:
    """List the segment files of a spool, oldest first; none when there is no spool."""
    try:
        return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    except FileNotFoundError:
        return []


class SpoolHeld(SettingsError):
    """Another listener has the spool."""


def spool_folders(data_dir: Path) -> list[Path]:
    """List where spools may be: each listener that shares a data directory has one of its own."""
    return [data_dir / (SPOOL if number == 1 else f"{SPOOL}-{number}") for number in range(1, MAX_LISTENERS + 1)]


def own_spool(data_dir: Path, max_bytes: int) -> "Spool":
    """Open the first spool that no other listener holds, and adopt what those that are gone left behind.

    Raises SettingsError when the folder cannot be used, or MAX_LISTENERS share it already.
    """
    folders = spool_folders(data_dir)
    for folder in folders:
        spool = Spool(folder, max_bytes)
        try:
            spool.open()
        except SpoolHeld:
            continue
        for other in folders:
            if other != folder and other.is_dir():
                spool.adopt(other)
        return spool
    raise SettingsError(f"{MAX_LISTENERS} listeners are using {data_dir}: give this one its own TOLLBOOK_DATA_DIR")


@dataclass(kw_only=True, slots=True)
class Segment:
    """A segment in the hands of who replays it. `legs` are merged, and taken out as they are committed."""

    path: Path
    size: int
    legs: list[Leg]
    damaged: tuple[bytes, ...] = ()
    torn_bytes: int = 0
    problem: str = ""


class Spool:
    """The spool of one listener. All methods block, and one thread at a time may call them.

    `bytes` and `waiting` are plain numbers, for anybody to look at.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
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
        """Take possession of the folder, and find what an earlier listener left; raises SettingsError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sync_folder(self.folder.parent)
            self._lock = io.FileIO(self.folder / "lock", "a")
            # The kernel gives the lock back when we end, however we end.
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
        self._number = int(found[-1][0].stem) if found else 0

    def adopt(self, other: Path) -> None:
        """Take over what a listener that is gone left in another folder; nothing when it is still there."""
        abandoned = Spool(other, self.max_bytes)
        with contextlib.suppress(SettingsError):
            abandoned.open()
            for path, size in abandoned._closed:
                self._number += 1
                # One file system, so a rename: a kill in between leaves each segment in one of the two folders.
                mine = path.replace(self.folder / f"{self._number:016}.spool")
                self._closed.append((mine, size))
                self.bytes += size
            _sync_folder(self.folder)
        abandoned.close()

    def append(self, legs: Iterable[Leg]) -> str:
        """Write legs and wait until they are on the disk; '' when they are, else what prevents it."""
        data = b"".join(map(record, legs))
        if self.bytes + len(data) > self.max_bytes:
            return f"TOLLBOOK_SPOOL_MAX is {self.max_bytes} bytes, and {self.bytes} are waiting"
        try:
            file = self._file or self._begin()
            _write_all(file, data)
            os.fsync(file)
        except OSError as error:
            self._end(error)
            return error.strerror or str(error)
        self._size += len(data)
        self.bytes += len(data)
        if self._size >= SEGMENT_BYTES:
            self._end()
        return ""

    def take(self) -> Segment | None:
        """Read the oldest segment, which nobody is given again before the next start; None when there is none."""
        if not self._closed:
            self._end()
        if not self._closed:
            return None
        path, size = self._closed.popleft()
        try:
            found = contents(path.read_bytes())
        except OSError as error:
            return Segment(path=path, size=size, legs=[], problem=error.strerror or str(error))
        legs = list(merge_all(found.legs).values())
        return Segment(path=path, size=size, legs=legs, damaged=found.damaged, torn_bytes=found.torn_bytes)

    def remove(self, segment: Segment) -> str:
        """Delete a segment whose legs are committed; '' or what prevents it."""
        try:
            segment.path.unlink()
        except OSError as error:
            return error.strerror or str(error)
        self.bytes -= segment.size
        return ""

    def close(self) -> None:
        """Let the folder go; what waits in it stays."""
        self._end()
        if self._lock is not None:
            self._lock.close()

    def _begin(self) -> io.FileIO:
        self._number += 1
        self._path = self.folder / f"{self._number:016}.spool"
        self._size = 0
        self._file = io.FileIO(self._path, "x")
        _sync_folder(self.folder)
        return self._file

    def _end(self, failure: OSError | None = None) -> None:
        """Close the segment that is being written; after a failure without the part that may not be on the disk."""
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


def _write_all(file: io.FileIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]  # a disk that fills up takes a part first


def _sync_folder(folder: Path) -> None:
    """Put the folder's names on the disk: a file's own fsync does not."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
