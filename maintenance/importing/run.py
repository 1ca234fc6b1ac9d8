"""`tollbook import`: reads all records, then writes their calls, the oldest first, each once.

Calls of the window go through the same batches as the switch's events and CDR files, and older ones straight into the
archive. A chunk of calls is looked for in both tiers under the locks that keep other writers of old calls out, and
written in the same turn: so a second run, also after a kill, finds what is there and adds the rest.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from uuid import uuid4

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from maintenance.archive.batch import BatchContent
from maintenance.archive.commit import commit
from maintenance.archive.table import ensure_table
from maintenance.importing.archived_rows import archived_rows
from maintenance.importing.known import MOST_APART_MS, by_id, judge, other_leg_there
from maintenance.importing.report import ImportReport, RefusedFile
from maintenance.importing.sources import Sources
from maintenance.importing.staging import StagedLeg, Staging
from maintenance.importing.window import begin_window
from maintenance.progress import Progress, no_progress
from rating.loader import load_pricing
from tollbook.archive import lookup
from tollbook.archive.catalog import open_catalog
from tollbook.archive.known import load_known_calls
from tollbook.config import Settings
from tollbook.errors import Retryable
from tollbook.model.bridged import bridged_elsewhere, bridged_last
from tollbook.model.call_leg import CallLeg
from tollbook.model.call_span import CallSpan, span_of
from tollbook.model.call_tree import Call, by_switch, calls_of
from tollbook.model.charge import Price
from tollbook.model.fold import FoldSettings, fold
from tollbook.model.leg import Leg, LegKey
from tollbook.model.record import Row
from tollbook.store.archive_commits import archive_begun
from tollbook.store.archiver import sole_archiver
from tollbook.store.calls.batch_plan import Pricer
from tollbook.store.calls.legs import MAX_CALL_LEGS
from tollbook.store.calls.poison import write_around_poison
from tollbook.store.calls.recorded import Recorded, find_recorded
from tollbook.store.command_lock import LockHeld, hold_lock, owner_name
from tollbook.store.database import Connection, check_schema, connect
from tollbook.store.days.partitions import Partitions
from tollbook.store.days.window import read_window
from tollbook.store.erasure.erased_legs import erased_before, names_of
from tollbook.store.history import refuse_restored
from tollbook.store.locks import RECOVER_LOCK
from tollbook.store.sums.unbuilt import UnbuiltDay, mark_unbuilt
from tollbook.times import MS_PER_DAY, current_day

#: Calls that are looked for and written at once, in one commit to the archive: twice as many take 60 MB more.
CHUNK_CALLS: Final = 5_000
_BATCH_LEGS: Final = 500
_SHOWN: Final = 10
# A recovery or an erasure may take as long; after that the import is run again.
_LOCK_WAIT_S: Final = 600.0
_NOT_AMONG: Final = "the leg that it was made for is not among the records: export a-legs and b-legs together"
_ERASED: Final = "its call was erased (`tollbook account erasures`), and is not brought back"


#: Shows the progress of one step, by its title.
Steps = Callable[[str], AbstractContextManager[Progress]]


def _without_progress(title: str) -> AbstractContextManager[Progress]:
    del title
    return nullcontext(no_progress)


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What a run did, and the first rows as they became, or would."""

    report: ImportReport
    rows: Sequence[tuple[Row, Price]] = ()


def import_calls(
    settings: Settings,
    sources: Sources,
    refused: RefusedFile,
    *,
    dry_run: bool = False,
    steps: Steps = _without_progress,
) -> Imported:
    """Read all records and write the calls that the book lacks; with `dry_run`, write none.

    `steps` shows the progress of reading, in bytes or files, and of writing, in legs. Raises UsageError for sources
    that cannot be read, Retryable beside another recovery, and our other errors; what was written until then stays
    written, and a second run goes on from there.
    """
    report = ImportReport(dry_run=dry_run)
    url = settings.require_database_url()
    with connect(url, name="import") as connection, Staging(settings.data_dir) as staging:
        check_schema(connection)
        refused.begin()
        with steps("reading") as progress:
            for record in sources.records(progress):
                report.records += 1
                if record.read is None and not record.problem:
                    report.left_out += 1
                    continue
                if record.read is None:
                    report.refused += 1
                    refused.write(record.source, record.line, record.problem, record.text)
                    continue
                report.doubled += record.read.doubled
                staging.add(record.read, record.source, record.line)
        report.legs = staging.close_reading()
        report.repeated = staging.repeated
        fold_settings, prices = load_pricing(connection, settings.trunk_rules)
        run = _Import(
            settings=settings, connection=connection, fold_settings=fold_settings, price=prices.price,
            refused=refused, report=report, priced=not sources.reading.billed_elsewhere,
        )  # fmt: skip
        with steps("writing") as progress:
            done = 0
            for chunk in staging.chunks(CHUNK_CALLS):
                run.write(chunk)
                done += len(chunk)
                progress(done, report.legs)
            for staged in staging.left():
                run.refuse(staged, _NOT_AMONG)
    return Imported(report=report, rows=run.shown)


@dataclass(frozen=True, kw_only=True)
class _NewCall:
    """A call that the book lacks. `others`: ids under which a leg of it may be there as a call of its own."""

    call: Call
    switch: str
    span: CallSpan
    others: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class _Import:
    settings: Settings
    connection: Connection
    fold_settings: FoldSettings
    price: Pricer
    refused: RefusedFile
    report: ImportReport
    priced: bool
    partitions: Partitions = field(default_factory=Partitions)
    shown: list[tuple[Row, Price]] = field(default_factory=list[tuple[Row, Price]])

    def refuse(self, staged: StagedLeg, reason: str) -> None:
        """Count and note a record that is not written."""
        self.report.refused += 1
        self.refused.write(staged.source, staged.line, reason, f"uuid {staged.leg.uid}")

    def write(self, chunk: Sequence[StagedLeg]) -> None:
        """Write the calls of some legs that the book lacks, all in one turn."""
        places = {staged.leg.key: staged for staged in chunk}
        begun = read_window(self.connection).start_ts
        self.connection.rollback()
        # In a database that has pruned no day yet, the window begins with the first call that is older.
        begins = begun or (current_day() - self.settings.retention_days) * MS_PER_DAY
        if self.report.dry_run:
            self._write(places, begins, None)
            return
        url = self.settings.require_database_url()
        with ExitStack() as held:
            try:
                lock = hold_lock(url, number=RECOVER_LOCK, name=owner_name("import"), wait_s=_LOCK_WAIT_S)
                held.enter_context(lock)
            except LockHeld as holder:
                raise Retryable(
                    f"calls are being recovered, imported or erased ({holder}): run this again when that has ended,"
                    " and it goes on from here"
                ) from None
            if min(staged.leg.created_us // 1000 for staged in chunk) >= begins:
                self._write(places, begun, None)
                return
            with (
                sole_archiver(url, name="import") as check,
                open_catalog(self.settings, writing=True) as catalog,
                connect(url, name="import", autocommit=True) as archiving,
            ):
                refuse_restored(archiving, self.settings.data_dir)
                window = begin_window(archiving, self.settings.retention_days)
                check()
                self._write(places, window, _Archive(catalog=catalog, connection=archiving))

    def _write(self, places: dict[LegKey, StagedLeg], window: int, archive: "_Archive | None") -> None:
        new = list(self._new(places, window, archive))
        if self.priced:
            new = self._with_price(new, places)
        old = [call for call in new if call.span.key.start_ts < window]
        young = [call for call in new if call.span.key.start_ts >= window]
        self._show(new)
        if self.report.dry_run:
            self.report.archive += len(old)
            self.report.window += len(young)
            return
        if old:
            assert archive is not None
            rows = self._rows(old)
            archive.write(rows)
            self.report.archive += len(rows)
        self._write_young(young, places)

    def _new(self, places: dict[LegKey, StagedLeg], window: int, archive: "_Archive | None") -> Iterator[_NewCall]:
        legs = [staged.leg for staged in places.values()]
        calls = [
            _NewCall(call=call, switch=switch, span=span_of(call, switch), others=_others(call, places))
            for switch, of_switch in by_switch(legs).items()
            for call in calls_of(of_switch)
        ]
        recorded = by_id(self._recorded(calls, window, archive))
        erased = self._erased(legs)
        for new in calls:
            staged = [places[record.key] for leg in new.call.legs for record in leg.records]
            found = judge(new.span, recorded.get(new.call.call_id, ())) if new.call.complete else _NOT_AMONG
            others = (each for other in new.others for each in recorded.get(other, ()))
            found = found or other_leg_there(new.span, others)
            if found == "known":
                self.report.known += 1
            elif found is not None or erased & {each.leg.key for each in staged}:
                for each in staged:
                    self.refuse(each, found or _ERASED)
            else:
                # Another record of this run may state the same call by the clock of another zone, or switch.
                recorded[new.call.call_id].append(
                    Recorded(new.switch, new.call.call_id, new.span.key.start_ts, new.span.end_ts)
                )
                yield new

    def _with_price(self, calls: Sequence[_NewCall], places: dict[LegKey, StagedLeg]) -> list[_NewCall]:
        """Return the calls that have a price, and refuse the others: no re-rate prices imported calls without one."""
        found: list[_NewCall] = []
        for new, (_, price) in zip(calls, self._rows(calls), strict=True):
            if price.unrated is None:
                found.append(new)
                continue
            reason = f"it has no price: {price.unrated}; mend that and import it again, or import it without --price"
            for record in (record for leg in new.call.legs for record in leg.records):
                self.refuse(places[record.key], reason)
        return found

    def _recorded(self, calls: Collection[_NewCall], window: int, archive: "_Archive | None") -> list[Recorded]:
        if not calls:
            return []
        starts = [new.span.key.start_ts for new in calls]
        ids = {new.call.call_id for new in calls}.union(*(new.others for new in calls))
        first_ms, last_ms = min(starts) - MOST_APART_MS, max(starts) + MOST_APART_MS
        found = find_recorded(self.connection, ids, first_ms=first_ms, last_ms=last_ms)
        self.connection.rollback()
        if first_ms < window:
            found += self._archived(ids, first_ms, last_ms, archive)
        return found

    def _archived(
        self, ids: Collection[str], first_ms: int, last_ms: int, archive: "_Archive | None"
    ) -> list[Recorded]:
        if archive is not None:
            return _find(archive.table(), ids, first_ms, last_ms)
        with open_catalog(self.settings) as catalog:
            begun = partial(archive_begun, self.settings.require_database_url())
            return _find(load_known_calls(catalog, begun), ids, first_ms, last_ms)

    def _erased(self, legs: Sequence[Leg]) -> set[LegKey]:
        with self.connection.transaction():
            until = erased_before(self.connection, {(leg.switch, name) for leg in legs for name in names_of(leg)})
        return {
            leg.key
            for leg in legs
            if any(leg.created_us // 1000 < until.get((leg.switch, name), 0) for name in names_of(leg))
        }

    def _rows(self, calls: Sequence[_NewCall]) -> list[tuple[Row, Price]]:
        by_uid: dict[tuple[str, str], list[CallLeg]] = {}
        for new in calls:
            for leg in new.call.legs:
                by_uid.setdefault((new.switch, leg.uid), []).append(leg)
        rows: list[tuple[Row, Price]] = []
        for new in calls:
            other = bridged_last(new.call, by_uid.get((new.switch, bridged_elsewhere(new.call)), ()))
            row = fold(new.call.first(MAX_CALL_LEGS), self.fold_settings, new.switch, other)
            rows.append((row, self.price(row)))
        return rows

    def _write_young(self, calls: Sequence[_NewCall], places: dict[LegKey, StagedLeg]) -> None:
        waiting: list[Leg] = []
        for number, new in enumerate(calls, start=1):
            waiting += [record for leg in new.call.legs for record in leg.records]
            if len(waiting) < _BATCH_LEGS and number < len(calls):
                continue
            _, refused = write_around_poison(
                self.connection, waiting, self.fold_settings, self.price, self.partitions, cause="cdr_file"
            )
            for refusal in refused:
                self.refuse(places[refusal.leg.key], refusal.reason)
            waiting = []
        self.report.window += len(calls)

    def _show(self, calls: Sequence[_NewCall]) -> None:
        lacking = _SHOWN - len(self.shown)
        if self.report.dry_run and lacking > 0:
            self.shown.extend(self._rows(calls[:lacking]))


@dataclass(frozen=True, kw_only=True)
class _Archive:
    """The archive as its sole writer has it; `connection` is in autocommit."""

    catalog: Catalog
    connection: Connection

    def table(self) -> Table:
        """Load its table, or make it."""
        return ensure_table(self.catalog, self.connection)

    def write(self, rows: Sequence[tuple[Row, Price]]) -> None:
        """Write calls that neither tier has, in one commit. Their days' sums are built anew: no trigger sees them."""
        days = {row.start_ts // MS_PER_DAY for row, _ in rows}
        mark_unbuilt(self.connection, [UnbuiltDay(day, None) for day in days], "import")
        commit(self.table(), uuid4(), BatchContent(rows=archived_rows(rows), corrections=()))


def _others(call: Call, places: dict[LegKey, StagedLeg]) -> frozenset[str]:
    return frozenset(other for leg in call.legs for record in leg.records if (other := places[record.key].other))


def _find(table: Table | None, ids: Collection[str], first_ms: int, last_ms: int) -> list[Recorded]:
    if table is None:
        return []
    found = lookup.find_calls(table, ids, first_ms=first_ms, last_ms=last_ms)
    return [Recorded(key.switch, key.call_id, key.start_ts, end_ts) for key, end_ts in found]
