"""`tollbook recover DIR`: the switch's own mod_json_cdr files go through the same fold as its events.

What is missing is added, estimates become exact, and a file is moved to `done/` only after its leg is committed:
a kill at any point reads a file twice, which changes nothing.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from maintenance.cdrfile import MAX_FILE_BYTES, leg_of_file
from rating.loader import load_pricing
from tollbook.config import Settings
from tollbook.errors import DataError, UsageError
from tollbook.log import event
from tollbook.model.event import header_names
from tollbook.model.leg import Leg
from tollbook.store.batch import write_around_poison
from tollbook.store.database import check_schema, connect
from tollbook.store.partitions import Partitions

_log = logging.getLogger("tollbook.recover")

BATCH_FILES = 500
# A file that is not JSON may still be being written; older than this it never will be.
_STILL_WRITING_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """What a run did. `legs` counts those that were written: they said something new, or hang under one that did."""

    files: int
    legs: int
    refused: int
    waiting: int

    def __str__(self) -> str:
        told = f"recovered: {self.files} files read, {self.legs} legs new or changed"
        told += f", {self.refused} files refused, moved to refused/" if self.refused else ""
        return told + (f", {self.waiting} left, still being written" if self.waiting else "")


def recover(settings: Settings, folder: Path, progress: Callable[[int, int], None]) -> Recovered:
    """Read every *.json file of `folder`; `progress` is told (files read, files in all). Raises our errors."""
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise UsageError(f"{folder} is no folder that we may read and move files in: name mod_json_cdr's log-dir")
    headers = header_names(settings.account_variable, settings.parent_variable)
    names = _names(folder)
    files = legs = refused = waiting = 0
    with connect(settings.require_database_url(), name="recover") as connection:
        check_schema(connection)
        operator, prices = load_pricing(connection, settings.peers)
        partitions = Partitions()
        for begin in range(0, len(names), BATCH_FILES):
            batch = [_read(folder / name, headers) for name in names[begin : begin + BATCH_FILES]]
            read = [(file.path, file.leg) for file in batch if file.leg is not None]
            written, poison = write_around_poison(
                connection, [leg for _, leg in read], operator, prices.price, partitions
            )
            reasons = {one.leg.key: one.reason for one in poison}
            reasons_by_path = {path: reasons[leg.key] for path, leg in read if leg.key in reasons}
            reasons_by_path |= {file.path: file.reason for file in batch if file.reason is not None}
            early = [file for file in batch if file.leg is None and file.reason is None]
            for path, _ in read:
                if path not in reasons_by_path:
                    _move(path, "done")
            for path, reason in reasons_by_path.items():
                event(_log, logging.ERROR, "a file was refused", file=path, reason=reason)
                _move(path, "refused")
            files += len(batch) - len(early)
            legs += written.legs
            refused += len(reasons_by_path)
            waiting += len(early)
            progress(min(begin + BATCH_FILES, len(names)), len(names))
    return Recovered(files=files, legs=legs, refused=refused, waiting=waiting)


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    """A file with its leg, or with the reason why it holds none; neither while it may still be being written."""

    path: Path
    leg: Leg | None = None
    reason: str | None = None


def _names(folder: Path) -> list[str]:
    # Of a million files these are 120 MB, as paths they would be 500; the files themselves are read a batch at a time.
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.name.endswith(".json") and entry.is_file())


def _read(path: Path, headers: Mapping[str, str]) -> _File:
    try:
        status = path.stat()
        content = path.read_bytes() if status.st_size <= MAX_FILE_BYTES else None
    except OSError as error:
        return _File(path=path, reason=f"cannot be read: {error.strerror}")
    if content is None:
        return _File(path=path, reason=f"larger than {MAX_FILE_BYTES} bytes")
    try:
        return _File(path=path, leg=leg_of_file(content, headers))
    except DataError as error:
        young = time.time() - status.st_mtime < _STILL_WRITING_S
        return _File(path=path) if young else _File(path=path, reason=str(error))


def _move(path: Path, to: str) -> None:
    folder = path.parent / to
    folder.mkdir(exist_ok=True)
    path.replace(folder / path.name)
