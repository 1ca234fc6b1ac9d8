"""`tollbook account erase`, step by step. Each step can be killed and done again; the receipt says finished at the end.

1. Under the archive's lock, what waits for the archive is archived: then an account's complete calls are archived under
   its own name and nowhere else.
2. The keys of the calls are collected from both tiers.
3. By these PostgreSQL removes rows, legs, old prices and the outbox's rows; a sync is told of each call.
4. The archive's data files are removed or written anew without the calls; then old snapshots, metadata, files, and what
   the index of call ids has of them go.
5. Dead letters and CDR files of their legs are deleted, what imports left, and the numbers that the account owns.
6. PostgreSQL is asked for the calls once more, and the receipt is written.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from maintenance.agents.erase import erase_agents_of
from maintenance.archive import gone
from maintenance.archive.table import ensure_table
from maintenance.compaction.call_ids import forget_removed_files
from maintenance.erase.archived import find_calls, remove_some
from maintenance.erase.files import ErasedFiles
from maintenance.erase.leg_files import DeadLetters, LegFiles, cdr_files
from maintenance.erase.old_states import delete_unnamed, forget_old_states
from maintenance.erase.preview import (
    EraseRequest,
    accounts_besides_calls,
    asked_scope,
    calls_naming,
    cdr_dirs,
    count_calls,
    count_later,
    count_up,
    opened,
    owned_numbers,
)
from maintenance.erase.receipt import write_receipt
from maintenance.erase.report import EraseReport
from maintenance.erase.scope import Scope, load_scope
from maintenance.erase.stored import remove_stored
from maintenance.erase.waiting import archive_waiting, refuse_waiting_legs
from maintenance.importing.folder import files_left, hold_folder
from maintenance.progress import Steps, no_steps
from maintenance.sums.run import build_unbuilt
from tollbook.archive.catalog import archive_errors, load_calls, open_catalog
from tollbook.archive.known import load_known_calls
from tollbook.config import Settings
from tollbook.errors import AccountHeld, Retryable, SettingsError
from tollbook.model.event import header_names
from tollbook.spool_files import dead_letter_folder
from tollbook.store.archive_commits import archive_begun
from tollbook.store.archiver import sole_archiver
from tollbook.store.command_lock import LockHeld, hold_lock, owner_name
from tollbook.store.database import Connection
from tollbook.store.erasure import account_numbers, calls, erased_legs, receipts
from tollbook.store.erasure.receipts import Erasure
from tollbook.store.holds import refuse_held
from tollbook.store.locks import RECOVER_LOCK, RERATE_LOCK
from tollbook.store.sums.unbuilt import mark_erased
from tollbook.store.tariffs import tariffs

# Other commands that write the archive, or a `recover`, take no longer than that, as a rule.
_WAIT_S: Final = 300.0

# Each round erases what has changed or ended during the one before it.
_ROUNDS: Final = 5

_ARCHIVE_PLACE: Final = "archive files"
_IMPORTS_PLACE: Final = "import files"


class CallsChange(Retryable):
    """Something writes the calls while they are erased."""


def erase_calls(settings: Settings, request: EraseRequest, *, steps: Steps = no_steps) -> EraseReport:
    """Erase, or go on with the unfinished erasure of the same account and number, whose `until_ts` and reason count.

    Raises AccountHeld, UsageError, SettingsError, ArchiveForked, ArchiveLost, ArchiveDamaged, and errors that pass,
    after which the same command goes on.
    """
    url = settings.require_database_url()
    with opened(settings) as connection:
        asked, _ = asked_scope(connection, request)  # before anything is begun
        try:
            with (
                hold_folder(settings.data_dir),
                hold_lock(url, number=RERATE_LOCK, name=owner_name("erase"), wait_s=_WAIT_S),
                hold_lock(url, number=RECOVER_LOCK, name=owner_name("erase"), wait_s=_WAIT_S),
                sole_archiver(url, name="erase", wait_s=_WAIT_S) as check_alone,
                open_catalog(settings, writing=True) as catalog,
            ):
                refuse_waiting_legs(settings)
                if load_known_calls(catalog, partial(archive_begun, url)) is not None:
                    ensure_table(catalog, connection, removing=True)  # refused before anything is begun, or not at all
                erasure = receipts.begin(
                    connection, account_id=request.account_id, number=asked.number.canonical if asked.number else None,
                    until_ts=request.until_ts, by_whom=request.by_whom, reason=request.reason,
                )  # fmt: skip
                scope = load_scope(connection, erasure.account_id, erasure.number, erasure.until_ts)
                run = _Run(
                    settings=settings, connection=connection, catalog=catalog, check_alone=check_alone,
                    erasure=erasure, scope=scope, request=request, steps=steps,
                )  # fmt: skip
                report = run.run()
        except LockHeld as holder:
            raise Retryable(
                f"another command is at work that may write calls ({holder}): run this again when it has ended"
            ) from None
        # Under no lock: days are built beside other commands. What is left when this is killed, the archiver builds.
        with steps("building sums anew"):
            build_unbuilt(settings)
        return report


@dataclass(frozen=True, kw_only=True)
class _Run:
    settings: Settings
    connection: Connection
    catalog: Catalog
    check_alone: Callable[[], None]
    erasure: Erasure
    scope: Scope
    request: EraseRequest
    steps: Steps

    def run(self) -> EraseReport:
        """Do all steps."""
        for _ in range(_ROUNDS):
            self._archive_waiting()
            changed = self._collect()
            if self.scope.account_id is None:
                self._refuse_held_accounts()
            mark_erased(self.connection, self._id)
            self._remove_rows()
            self._remove_archived()
            if not changed and not self._completed():
                break
        else:
            raise CallsChange("the calls change as fast as they are erased: run this again when it is quieter")
        self._forget_old_states()
        self._erase_agents()
        self._delete_files()
        if calls.still_there(self.connection, self._id):
            raise CallsChange("erased calls have been written again: see what writes them, then run this again")
        return self._finish()

    @property
    def _id(self) -> UUID:
        return self.erasure.erasure_id

    def _table(self) -> Table:
        self.check_alone()
        return ensure_table(self.catalog, self.connection, removing=True)

    def _archive_waiting(self) -> None:
        with self.steps("archiving what waits") as progress:
            archive_waiting(self.connection, self.catalog, self.scope, self.check_alone, progress)

    def _collect(self) -> int:
        """Collect the calls; return how many wait for the archive again, and are left for the next round."""
        with self.steps("finding calls") as progress:
            table = load_known_calls(self.catalog, partial(archive_begun, self.settings.require_database_url()))
            if self.scope.number is not None:
                calls.collect(self.connection, self._id, list(calls_naming(self.connection, self.scope, table)))
            elif self.scope.account_id is not None:
                calls.collect_account(self.connection, self._id, self.scope.account_id, self.scope.until_ts)
            changed = calls.leave_waiting(self.connection, self._id)
            found = 0
            for piece in () if table is None else find_calls(table, self.scope):
                calls.collect(self.connection, self._id, piece)
                found += len(piece)
                progress(found, found)
            calls.leave_moved(self.connection, self._id)
        return changed

    def _completed(self) -> int:
        """Count the calls that were up when the calls were collected, and have ended since."""
        if self.scope.number is None:
            return count_calls(self.connection, self.scope)[0]
        return sum(1 for _ in calls_naming(self.connection, self.scope, load_calls(self.catalog)))

    def _refuse_held_accounts(self) -> None:
        """Raise AccountHeld, and forget the erasure if it has removed nothing.

        No hold is placed once it has begun, but a call of a held account can end meanwhile.
        """
        try:
            besides = accounts_besides_calls(self.connection, self.scope, self.request)
            refuse_held(self.connection, {*calls.accounts_of(self.connection, self._id), *besides})
        except AccountHeld as held:
            if receipts.read(self.connection, self._id).counts:
                raise AccountHeld(
                    "a part was erased before a held account had calls, prices or a number of this kind, which were"
                    f" left; when the hold is lifted, run this again to the end. {held}"
                ) from held
            receipts.cancel(self.connection, self._id)
            raise

    def _remove_rows(self) -> None:
        with self.steps("erasing from PostgreSQL") as progress:
            remove_stored(self.connection, self._id, self.scope, progress)

    def _remove_archived(self) -> None:
        erased_between = partial(calls.collected_between, self.connection, self._id)
        with self.steps("erasing from the archive") as progress:
            done = 0
            while load_calls(self.catalog) and (files := remove_some(self._table(), self.scope, erased_between)):
                done += files
                progress(done, done)

    def _forget_old_states(self) -> None:
        """Also when no file was touched: a killed run may have left some."""
        with self.steps("erasing the archive's old states"):
            if load_calls(self.catalog):
                forget_old_states(self._table)
                delete_unnamed(self._table(), partial(receipts.add_file, self.connection, self._id, _ARCHIVE_PLACE))
                forget_removed_files(self._table())

    def _erase_agents(self) -> None:
        """Of an account that goes as a whole."""
        if self.scope.number is None and self.scope.account_id is not None:
            with self.steps("erasing agents"):
                self.check_alone()
                rows = erase_agents_of(self.connection, self.catalog, self.scope.account_id)
                receipts.add_counts(self.connection, self._id, {"rows of agents": rows} if rows else {})

    def _delete_files(self) -> None:
        with self.steps("erasing files"), ExitStack() as folders_open:
            headers = header_names(
                self.settings.account_variable, self.settings.parent_variable, self.settings.direction_variable
            )
            folders: list[LegFiles] = [DeadLetters(dead_letter_folder(self.settings.data_dir))]
            for path in cdr_dirs(self.settings, self.request):
                folders.append(folders_open.enter_context(cdr_files(path, headers)))  # noqa: PERF401 - each is opened
            owners = tariffs.number_owners(self.connection)
            erased = ErasedFiles(self.connection, self._id, self.scope, owners, folders)
            try:
                erased.note()
                erased.delete()
                for path in files_left(self.settings.data_dir):  # whole: whose a damaged record is, nobody can say
                    receipts.add_file(self.connection, self._id, _IMPORTS_PLACE, path.name)
                    path.unlink()
            except OSError as error:
                raise SettingsError(f"{error.filename} cannot be read or deleted: {error.strerror}") from error
        owned = owned_numbers(self.connection, self.scope, self.request)
        account_numbers.remove_numbers(self.connection, self._id, owned)

    def _remember_legs(self) -> None:
        """Keep the hashes of what was erased, here and beside the archive, which outlives this database."""
        erased_legs.hash_legs(self.connection, self._id)
        with archive_errors("writing down what was erased"):
            if (table := load_calls(self.catalog)) is not None:
                until_ts = self.erasure.until_ts
                gone.write_erased(table, self._id, until_ts, erased_legs.hashes_until(self.connection, until_ts))

    def _finish(self) -> EraseReport:
        self._remember_legs()
        receipts.close(
            self.connection, self._id,
            calls=calls.collected(self.connection, self._id), keys_sha256=calls.digest(self.connection, self._id),
        )  # fmt: skip
        closed = receipts.read(self.connection, self._id)
        try:
            path = write_receipt(self.settings.data_dir, closed, time.time_ns() // 1_000_000)
        except OSError as error:
            raise SettingsError(
                f"all is erased, but the receipt cannot be written below {self.settings.data_dir}: {error.strerror};"
                " run this again when it can"
            ) from error
        up = count_up(self.connection, self.scope)
        later = count_later(self.connection, self.scope, self.request.until_ts)
        return EraseReport(erasure=receipts.finish(self.connection, self._id), receipt=path, open=up, later=later)
