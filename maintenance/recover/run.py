"""`tollbook recover DIR`: folds the switch's own mod_json_cdr files in the same way as its events.

This adds missing calls and makes estimates exact. A file is moved to `done/` only after its leg is committed: after a
kill a file may be read twice, which changes nothing. A call so old that its legs would have been pruned is added if
the archive lacks it; if the archive has it, its files come too late and are moved to `late/`.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyiceberg.catalog import Catalog

from maintenance.progress import Progress, no_progress
from maintenance.recover.archived import not_archived
from maintenance.recover.cdr_file import outcome_of, read_file
from maintenance.recover.cdr_folder import DONE, LATE, REFUSED, CdrFolder, open_folder
from maintenance.recover.report import RecoveryReport
from rating.loader import load_pricing
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.log import log_line
from tollbook.model.event import header_names
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Leg, LegKey
from tollbook.store.calls.batch import Refused, Written, write_around_poison
from tollbook.store.calls.batch_plan import Pricer
from tollbook.store.database import Connection, check_schema, connect
from tollbook.store.days.partitions import Partitions

_log = logging.getLogger("tollbook.recover")

BATCH_FILES = 500


def recover_calls(
    settings: Settings, path: Path, progress: Progress = no_progress, *, wait_s: float = 0.0
) -> RecoveryReport:
    """Read every *.json file of a folder into the database. `progress`: files read, and files in all.

    One at a time in a folder: waits at most `wait_s` seconds for another one, and then leaves the files to it. Raises
    UsageError or SettingsError for a folder that cannot be used, and our other errors; what was read until then stays
    done.
    """
    with open_folder(path) as folder:
        if not folder.lock(wait_s):
            return RecoveryReport(busy=True)
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
            headers=header_names(settings.account_variable, settings.parent_variable, settings.direction_variable),
        )
        late: list[str] = []
        for begin in range(0, len(names), BATCH_FILES):
            batch = names[begin : begin + BATCH_FILES]
            late += recovery.recover_batch(batch)
            progress(begin + len(batch), len(names))
        if late:  # last, and only then: the archive may be out of reach from the switch's machine
            with open_catalog(settings) as catalog:
                late = recovery.recover_late(late, catalog)
    for name in late:
        log_line(_log, logging.WARNING, "a file came too late", file=folder.path / name)
        folder.move(name, LATE)
    report = recovery.report
    report.late = len(late)
    report.files += report.late
    return report


@dataclass(frozen=True, kw_only=True)
class _Recovery:
    folder: CdrFolder
    connection: Connection
    fold_settings: FoldSettings
    price: Pricer
    headers: Mapping[str, str]
    partitions: Partitions = field(default_factory=Partitions)
    report: RecoveryReport = field(default_factory=RecoveryReport)

    def recover_batch(self, names: Sequence[str], catalog: Catalog | None = None) -> list[str]:
        """Write the legs of some files, move the files and count them; return those that came too late.

        With a catalog, late legs are written too if the archive lacks their call.
        """
        files = [file for name in names if (file := read_file(self.folder, name, self.headers))]
        written, refused = self._write([file.leg for file in files if file.leg is not None], catalog)
        outcome = outcome_of(files, refused)
        for name in outcome.done:
            self.folder.move(name, DONE)
        for name, reason in outcome.refused.items():
            log_line(_log, logging.ERROR, "a file was refused", file=self.folder.path / name, reason=reason)
            self.folder.move(name, REFUSED)
        self.report.files += len(outcome.done) + len(outcome.refused)
        self.report.legs += written.legs
        self.report.refused += len(outcome.refused)
        self.report.waiting += len(outcome.unfinished)
        return outcome.late

    def recover_late(self, names: list[str], catalog: Catalog) -> list[str]:
        """Recover files of old calls until no more of them can be written; return those that are left.

        More than once: without the first leg of a call nobody can tell whether the call is archived, and a file can
        come before the one with the first leg.
        """
        while True:
            left: list[str] = []
            for begin in range(0, len(names), BATCH_FILES):
                left += self.recover_batch(names[begin : begin + BATCH_FILES], catalog)
            if len(left) in (0, len(names)):
                return left
            names = left

    def _write(self, legs: Sequence[Leg], catalog: Catalog | None) -> tuple[Written, list[Refused]]:
        written, refused = self._write_legs(legs, missing=())
        late = [refusal.leg for refusal in refused if refusal.late]
        missing = not_archived(load_calls(catalog), late) if late and catalog else set[LegKey]()
        if not missing:
            return written, refused
        more, refused_again = self._write_legs([leg for leg in late if leg.key in missing], missing)
        refused = [refusal for refusal in refused if refusal.leg.key not in missing]
        return written + more, refused + refused_again

    def _write_legs(self, legs: Sequence[Leg], missing: Collection[LegKey]) -> tuple[Written, list[Refused]]:
        return write_around_poison(
            self.connection, legs, self.fold_settings, self.price, self.partitions, missing=missing
        )
