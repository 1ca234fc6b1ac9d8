"""`tollbook recover DIR`: the switch's own mod_json_cdr files go through the same fold as its events.

What is missing is added, estimates become exact, and a file is moved to `done/` only after its leg is committed:
a kill at any point reads a file twice, which changes nothing. A call from before the days whose legs are kept is added
if the archive lacks it; if the archive has it, its files are too late and are moved to `late/`.
"""

import logging
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pyiceberg.catalog import Catalog

from maintenance.recover.archived import not_archived
from maintenance.recover.json_cdr import MAX_FILE_BYTES, leg_of_file
from rating.loader import load_pricing
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.errors import DataError, UsageError
from tollbook.log import log_line
from tollbook.model.event import header_names
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Leg, LegKey
from tollbook.store.calls.batch import Pricer, Refused, Written, write_around_poison
from tollbook.store.database import Connection, check_schema, connect
from tollbook.store.days.partitions import Partitions

_log = logging.getLogger("tollbook.recover")

BATCH_FILES = 500
# A file that is not JSON may still be being written; older than this it never will be.
_STILL_WRITING_S = 60.0


@dataclass(frozen=True, kw_only=True)
class RecoveryReport:
    """What a run did. `legs` counts those that were written: they said something new, or hang under one that did.

    `late`: files of calls that are frozen.
    """

    files: int
    legs: int
    refused: int
    waiting: int
    late: int = 0

    def __str__(self) -> str:
        told = f"recovered: {self.files} files read, {self.legs} legs new or changed"
        told += f", {self.refused} files refused, moved to refused/" if self.refused else ""
        told += f", {self.late} too late, moved to late/: the archive has their calls" if self.late else ""
        return told + (f", {self.waiting} left, still being written" if self.waiting else "")


def recover(settings: Settings, folder: Path, progress: Callable[[int, int], None]) -> RecoveryReport:
    """Read every *.json file of `folder`; `progress` is told (files read, files in all). Raises our errors."""
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise UsageError(f"{folder} is no folder that we may read and move files in: name mod_json_cdr's log-dir")
    headers = header_names(settings.account_variable, settings.parent_variable)
    names = _names(folder)
    total, done = len(names), RecoveryReport(files=0, legs=0, refused=0, waiting=0)
    with connect(settings.require_database_url(), name="recover") as connection:
        check_schema(connection)
        fold_settings, prices = load_pricing(connection, settings.trunk_rules)
        store = _Store(connection=connection, fold_settings=fold_settings, price=prices.price)
        late: list[Path] = []
        for begin in range(0, total, BATCH_FILES):
            batch = [_read(folder / name, headers) for name in names[begin : begin + BATCH_FILES]]
            done, more = _batch(store, batch, done)
            late += more
            progress(min(begin + BATCH_FILES, total), total)
        if late:  # last, and only then: where this runs, the archive may be out of reach
            with open_catalog(settings) as catalog:
                done, late = _late(replace(store, catalog=catalog), late, headers, done)
        for path in late:
            log_line(_log, logging.WARNING, "a file came too late", file=path)
            _move(path, "late")
    return replace(done, files=done.files + len(late), late=len(late))


@dataclass(frozen=True, kw_only=True)
class _Store:
    connection: Connection
    fold_settings: FoldSettings
    price: Pricer
    partitions: Partitions = field(default_factory=Partitions)
    catalog: Catalog | None = None

    def write(self, legs: Sequence[Leg]) -> tuple[Written, list[Refused]]:
        """Write legs; with a catalog, also those that come too late but whose call the archive lacks."""
        written, refused = self._write(legs, ())
        late = [one.leg for one in refused if one.late]
        missing = not_archived(load_calls(self.catalog), late) if late and self.catalog else set[LegKey]()
        if not missing:
            return written, refused
        more, again = self._write([leg for leg in late if leg.key in missing], missing)
        refused = [one for one in refused if one.leg.key not in missing]
        return Written(rows=written.rows + more.rows, legs=written.legs + more.legs), refused + again

    def _write(self, legs: Sequence[Leg], missing: Collection[LegKey]) -> tuple[Written, list[Refused]]:
        return write_around_poison(
            self.connection, legs, self.fold_settings, self.price, self.partitions, missing=missing
        )


def _late(
    store: _Store, paths: list[Path], headers: Mapping[str, str], done: RecoveryReport
) -> tuple[RecoveryReport, list[Path]]:
    """Read files of old calls until no more of them can be written, and give those that are left.

    More than once: a leg can come before the first leg of its call, which alone tells whether the call is archived.
    """
    while True:
        left: list[Path] = []
        for begin in range(0, len(paths), BATCH_FILES):
            done, more = _batch(store, [_read(path, headers) for path in paths[begin : begin + BATCH_FILES]], done)
            left += more
        if len(left) in (0, len(paths)):
            return done, left
        paths = left


def _batch(store: _Store, batch: Sequence["_File"], done: RecoveryReport) -> tuple[RecoveryReport, list[Path]]:
    """Write the legs of some files and move these; give what was done by now, and the files that came too late."""
    read = [(file.path, file.leg) for file in batch if file.leg is not None]
    written, poison = store.write([leg for _, leg in read])
    late = {one.leg.key for one in poison if one.late}
    reasons = {one.leg.key: one.reason for one in poison if not one.late}
    reasons_by_path = {path: reasons[leg.key] for path, leg in read if leg.key in reasons}
    reasons_by_path |= {file.path: file.reason for file in batch if file.reason is not None}
    early = [file for file in batch if file.leg is None and file.reason is None]
    late_paths = [path for path, leg in read if leg.key in late]
    for path in (path for path, leg in read if leg.key not in late and path not in reasons_by_path):
        _move(path, "done")
    for path, reason in reasons_by_path.items():
        log_line(_log, logging.ERROR, "a file was refused", file=path, reason=reason)
        _move(path, "refused")
    return replace(
        done,
        files=done.files + len(batch) - len(early) - len(late_paths),
        legs=done.legs + written.legs,
        refused=done.refused + len(reasons_by_path),
        waiting=done.waiting + len(early),
    ), late_paths


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
