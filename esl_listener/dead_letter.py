"""Dead letters: what no retry will write, each in a file of `dead-letters/` with its reason.

A leg that PostgreSQL refuses is a JSON file; a damaged stretch of the spool is kept as it is. The file's name is a
digest of what it keeps, so a leg that is replayed and refused again is kept once. An operator may correct a leg's file
by hand before `tollbook spool retry`.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tollbook.model.leg import Leg
from tollbook.spool_files import damaged_path, dead_letter_paths, refused_leg_path


class _LegFile(msgspec.Struct, frozen=True, kw_only=True):
    reason: str
    leg: Leg


_decode = msgspec.json.Decoder(_LegFile).decode


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """A file of the folder. `leg` is None for a damaged stretch, and for a file that cannot be read."""

    path: Path
    reason: str
    leg: Leg | None = None


def save_leg(folder: Path, leg: Leg, reason: str) -> Path:
    """Save a leg that cannot be written, and return its file. Raises OSError."""
    path = refused_leg_path(folder, _digest(msgspec.json.encode(leg)))
    return _save(path, msgspec.json.format(msgspec.json.encode(_LegFile(reason=reason, leg=leg))))


def save_damaged(folder: Path, data: bytes) -> Path:
    """Save bytes of the spool that are not a sound record, and return their file. Raises OSError."""
    return _save(damaged_path(folder, _digest(data)), data)


def load_all(folder: Path) -> Iterator[DeadLetter]:
    """Read the folder in the order of the names; yield nothing when there is no such folder. Raises OSError."""
    for path in dead_letter_paths(folder):
        if path.suffix == ".bin":
            yield DeadLetter(path=path, reason=f"{path.stat().st_size} damaged bytes of the spool")
            continue
        try:
            file = _decode(path.read_bytes())
        except (OSError, msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
            yield DeadLetter(path=path, reason=f"cannot be read: {error}")
        else:
            yield DeadLetter(path=path, reason=file.reason, leg=file.leg)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _save(path: Path, data: bytes) -> Path:
    """Write a file so that it is there whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file)
    part.replace(path)
    return path
