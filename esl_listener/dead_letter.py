"""What no retry will make right, kept in `set-aside/` with its reason: a file for each leg, for each damaged stretch.

A file's name is the digest of what it keeps: set aside twice, by a replay for instance, it is kept once. An operator
may correct a leg's file by hand before `tollbook spool retry`.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tollbook.model.leg import Leg

# The folder in the data directory.
SET_ASIDE = "set-aside"


class _File(msgspec.Struct, frozen=True, kw_only=True):
    reason: str
    leg: Leg


_decode = msgspec.json.Decoder(_File).decode


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """A file of the folder; `leg` is None when it holds none: a damaged stretch, or a file that cannot be read."""

    path: Path
    reason: str
    leg: Leg | None = None


def keep_leg(folder: Path, leg: Leg, reason: str) -> Path:
    """Keep a leg that cannot be written; raises OSError."""
    name = f"leg-{hashlib.sha256(msgspec.json.encode(leg)).hexdigest()[:16]}.json"
    return _keep(folder / name, msgspec.json.format(msgspec.json.encode(_File(reason=reason, leg=leg))))


def keep_damaged(folder: Path, data: bytes) -> Path:
    """Keep bytes of the spool that are no sound record; raises OSError."""
    return _keep(folder / f"damaged-{hashlib.sha256(data).hexdigest()[:16]}.bin", data)


def kept(folder: Path) -> Iterator[Kept]:
    """Read the folder, in the order of the names; nothing when there is no such folder."""
    for path in sorted([*folder.glob("leg-*.json"), *folder.glob("damaged-*.bin")]):
        if path.suffix == ".bin":
            yield Kept(path=path, reason=f"{path.stat().st_size} damaged bytes of the spool")
            continue
        try:
            file = _decode(path.read_bytes())
        except (OSError, msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
            yield Kept(path=path, reason=f"cannot be read: {error}")
        else:
            yield Kept(path=path, reason=file.reason, leg=file.leg)


def _keep(path: Path, data: bytes) -> Path:
    """Write a file so that it is there whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file)
    part.replace(path)
    return path
