"""`tollbook recover DIR`: folds the switch's own mod_json_cdr files in the same way as its events.

This adds missing calls and makes estimates exact. A file is moved to `done/` only after its leg is committed: after a
kill a file may be read twice, which changes nothing. A call so old that its legs would have been pruned is added if
the archive lacks it; if the archive has it, its files come too late and are moved to `late/`. Files of calls that were
erased are refused.
"""

import logging
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pyiceberg.catalog import Catalog

from maintenance.progress import Progress, no_progress
from maintenance.recover.archived import not_archived
from maintenance.recover.cdr_file import ParsedFile, outcome_of, read_file
from maintenance.recover.cdr_folder import DONE, LATE, REFUSED, CdrFolder, FileVersion, open_folder
from maintenance.recover.report import RecoveryReport
from rating.loader import load_pricing
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.known import load_known_calls
from tollbook.config import Settings
from tollbook.log import log_line
from tollbook.model.event import header_names
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Leg, LegKey
from tollbook.store.archive_commits import archive_begun
from tollbook.store.calls.batch import Written
from tollbook.store.calls.batch_plan import Pricer
from tollbook.store.calls.poison import Refused, write_around_poison
from tollbook.store.command_lock import LockHeld, hold_lock, owner_name
from tollbook.store.database import Connection, check_schema, connect
from tollbook.store.days.partitions import Partitions
from tollbook.store.erasure.erased_legs import erased_before, names_of
from tollbook.store.locks import RECOVER_LOCK

_log = logging.getLogger("tollbook.recover")

BATCH_FILES = 500

_ERASED = "its call was erased (`tollbook account erasures`), and is not brought back: delete the file"


def recover_calls(
    settings: Settings, path: Path, progress: Progress = no_progress, *, wait_s: float = 0.0
) -> RecoveryReport:
    """Read every *.json file of a folder into the database. `progress`: files read, and files in all.

    One at a time in a folder, and for a database: waits at most `wait_s` seconds for another one, and then leaves the
    files as they are. Raises UsageError or SettingsError for a folder that cannot be used, and our other errors; what
    was read until then stays done.
    """
    deadline_s = time.monotonic() + wait_s
    with open_folder(path) as folder, ExitStack() as held:
        if not folder.lock(wait_s):
            return RecoveryReport(busy="another `tollbook recover` is reading this folder")
        url, name, left_s = settings.require_database_url(), owner_name("recover"), deadline_s - time.monotonic()
        try:
            held.enter_context(hold_lock(url, number=RECOVER_LOCK, name=name, wait_s=left_s))
        except LockHeld as holder:
            return RecoveryReport(busy=f"another `tollbook recover` is writing to this database: {holder}")
        return _recover_files(settings, folder, progress)


def _recover_files(settings: Settings, folder: CdrFolder, progress: Progress) -> RecoveryReport:
    names = folder.names()
    with connect(settings.require_database_url(), name="recover") as connection:
        check_schema(connection)
        fold_settings, prices = load_pricing(connection, settings.trunk_rules)
        recovery = _Recovery(
            folder=folder,
            connection=connection,
            fold_settings=fold_settings,
            price=prices.price,
            headers=header_names(
                settings.account_variable, settings.parent_variable, settings.direction_variable, settings.variables
            ),
        )
        late: dict[str, FileVersion] = {}
        for begin in range(0, len(names), BATCH_FILES):
            batch = names[begin : begin + BATCH_FILES]
            late |= recovery.recover_batch(batch)
            progress(begin + len(batch), len(names))
        if late:  # last, and only then: the archive may be out of reach from the switch's machine
            with open_catalog(settings) as catalog:
                # What a lost archive holds would be added a second time.
                load_known_calls(catalog, partial(archive_begun, settings.require_database_url()))
                late = recovery.recover_late(late, catalog)
    for name, version in late.items():
        log_line(_log, logging.WARNING, "a file came too late", file=folder.path / name)
        recovery.report.late += recovery.move(name, version, LATE)
    return recovery.report


@dataclass(frozen=True, kw_only=True)
class _Recovery:
    folder: CdrFolder
    connection: Connection
    fold_settings: FoldSettings
    price: Pricer
    headers: Mapping[str, str]
    partitions: Partitions = field(default_factory=Partitions)
    report: RecoveryReport = field(default_factory=RecoveryReport)

    def recover_batch(self, names: Iterable[str], catalog: Catalog | None = None) -> dict[str, FileVersion]:
        """Write the legs of some files, move the files and count them; return those that came too late.

        With a catalog, late legs are written too if the archive lacks their call.
        """
        files = list(self._read(names))
        written, refused = self._write([file.leg for file in files if file.leg is not None], catalog)
        outcome = outcome_of(files, refused)
        for file in outcome.done:
            self.move(file.name, file.version, DONE)
        for file, reason in outcome.refused:
            log_line(_log, logging.ERROR, "a file was refused", file=self.folder.path / file.name, reason=reason)
            self.report.refused += self.move(file.name, file.version, REFUSED)
        self.report.legs += written.legs
        self.report.waiting += len(outcome.unfinished)
        return {file.name: file.version for file in outcome.late}

    def recover_late(self, late: dict[str, FileVersion], catalog: Catalog) -> dict[str, FileVersion]:
        """Recover files of old calls until no more of them can be written; return those that are left.

        More than once: without the first leg of a call nobody can tell whether the call is archived, and a file can
        come before the one with the first leg.
        """
        while True:
            names, left = list(late), dict[str, FileVersion]()
            for begin in range(0, len(names), BATCH_FILES):
                left |= self.recover_batch(names[begin : begin + BATCH_FILES], catalog)
            if len(left) in (0, len(late)):
                return left
            late = left

    def move(self, name: str, version: FileVersion, target: str) -> bool:
        """Move a file that was read, and count it; return False for one that was replaced meanwhile, and stays."""
        moved = self.folder.move(name, version, target)
        self.report.files += moved
        self.report.waiting += not moved
        return moved

    def _read(self, names: Iterable[str]) -> Iterator[ParsedFile]:
        for name in names:
            file = read_file(self.folder, name, self.headers)
            if file is not None:
                yield file
                continue
            log_line(_log, logging.ERROR, "a file went away before it was read", file=self.folder.path / name)
            self.report.gone += 1

    def _write(self, legs: Sequence[Leg], catalog: Catalog | None) -> tuple[Written, list[Refused]]:
        erased = self._erased(legs)
        written, refused = self._write_legs([leg for leg in legs if leg.key not in erased], missing=())
        refused += [Refused(leg=leg, reason=_ERASED) for leg in legs if leg.key in erased]
        late = [refusal.leg for refusal in refused if refusal.late]
        missing = not_archived(load_calls(catalog), late) if late and catalog else set[LegKey]()
        if not missing:
            return written, refused
        more, refused_again = self._write_legs([leg for leg in late if leg.key in missing], missing)
        refused = [refusal for refusal in refused if refusal.leg.key not in missing]
        return written + more, refused + refused_again

    def _erased(self, legs: Sequence[Leg]) -> set[LegKey]:
        """Return the keys of legs that were erased, or made for one that was: a backup has brought their files back."""
        with self.connection.transaction():
            until = erased_before(self.connection, {(leg.switch, name) for leg in legs for name in names_of(leg)})
        erased = {
            leg.key
            for leg in legs
            if any(leg.created_us // 1000 < until.get((leg.switch, name), 0) for name in names_of(leg))
        }
        self.report.erased += sum(leg.key in erased for leg in legs)
        return erased

    def _write_legs(self, legs: Sequence[Leg], missing: Collection[LegKey]) -> tuple[Written, list[Refused]]:
        return write_around_poison(
            self.connection, legs, self.fold_settings, self.price, self.partitions, cause="cdr_file",
            missing=missing,
        )  # fmt: skip
