"""`tollbook recover DIR`: folds the switch's own mod_json_cdr files in the same way as its events.

This adds missing calls and makes estimates exact. A file is moved to `done/` only after its leg is committed: after a
kill a file may be read twice, which changes nothing. A call so old that its legs would have been pruned is added if
the archive lacks it; if the archive has it, its files come too late and are moved to `late/`.
"""

import logging
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyiceberg.catalog import Catalog

from maintenance.progress import Progress, no_progress
from maintenance.recover.archived import not_archived
from maintenance.recover.cdr_file import file_names, move_file, outcome_of, read_file
from maintenance.recover.report import RecoveryReport
from rating.loader import load_pricing
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.errors import UsageError
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


def recover_calls(settings: Settings, folder: Path, progress: Progress = no_progress) -> RecoveryReport:
    """Read every *.json file of `folder` into the database. `progress`: files read, and files in all.

    Raises UsageError for a folder that cannot be used, and our other errors; what was read until then stays done.
    """
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise UsageError(f"{folder} is no folder that we may read and move files in: name mod_json_cdr's log-dir")
    names = file_names(folder)
    with connect(settings.require_database_url(), name="recover") as connection:
        check_schema(connection)
        fold_settings, prices = load_pricing(connection, settings.trunk_rules)
        recovery = _Recovery(
            connection=connection,
            fold_settings=fold_settings,
            price=prices.price,
            headers=header_names(settings.account_variable, settings.parent_variable),
        )
        late: list[Path] = []
        for begin in range(0, len(names), BATCH_FILES):
            batch = names[begin : begin + BATCH_FILES]
            late += recovery.recover_batch([folder / name for name in batch])
            progress(begin + len(batch), len(names))
        if late:  # last, and only then: the archive may be out of reach from the switch's machine
            with open_catalog(settings) as catalog:
                late = recovery.recover_late(late, catalog)
    for path in late:
        log_line(_log, logging.WARNING, "a file came too late", file=path)
        move_file(path, "late")
    report = recovery.report
    report.late = len(late)
    report.files += report.late
    return report


@dataclass(frozen=True, kw_only=True)
class _Recovery:
    connection: Connection
    fold_settings: FoldSettings
    price: Pricer
    headers: Mapping[str, str]
    partitions: Partitions = field(default_factory=Partitions)
    report: RecoveryReport = field(default_factory=RecoveryReport)

    def recover_batch(self, paths: Sequence[Path], catalog: Catalog | None = None) -> list[Path]:
        """Write the legs of some files, move the files and count them; return those that came too late.

        With a catalog, late legs are written too if the archive lacks their call.
        """
        files = [read_file(path, self.headers) for path in paths]
        written, refused = self._write([file.leg for file in files if file.leg is not None], catalog)
        outcome = outcome_of(files, refused)
        for path in outcome.done:
            move_file(path, "done")
        for path, reason in outcome.refused.items():
            log_line(_log, logging.ERROR, "a file was refused", file=path, reason=reason)
            move_file(path, "refused")
        self.report.files += len(outcome.done) + len(outcome.refused)
        self.report.legs += written.legs
        self.report.refused += len(outcome.refused)
        self.report.waiting += len(outcome.unfinished)
        return outcome.late

    def recover_late(self, paths: list[Path], catalog: Catalog) -> list[Path]:
        """Recover files of old calls until no more of them can be written; return those that are left.

        More than once: without the first leg of a call nobody can tell whether the call is archived, and a file can
        come before the one with the first leg.
        """
        while True:
            left: list[Path] = []
            for begin in range(0, len(paths), BATCH_FILES):
                left += self.recover_batch(paths[begin : begin + BATCH_FILES], catalog)
            if len(left) in (0, len(paths)):
                return left
            paths = left

    def _write(self, legs: Sequence[Leg], catalog: Catalog | None) -> tuple[Written, list[Refused]]:
        written, refused = self._write_legs(legs, missing=())
        late = [refusal.leg for refusal in refused if refusal.late]
        missing = not_archived(load_calls(catalog), late) if late and catalog else set[LegKey]()
        if not missing:
            return written, refused
        more, refused_again = self._write_legs([leg for leg in late if leg.key in missing], missing)
        refused = [refusal for refusal in refused if refusal.leg.key not in missing]
        return Written(rows=written.rows + more.rows, legs=written.legs + more.legs), refused + refused_again

    def _write_legs(self, legs: Sequence[Leg], missing: Collection[LegKey]) -> tuple[Written, list[Refused]]:
        return write_around_poison(
            self.connection, legs, self.fold_settings, self.price, self.partitions, missing=missing
        )
