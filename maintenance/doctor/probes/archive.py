"""The archive: whether it can be read, whether its files are there, whether the sums are those of its calls."""

import time
from collections.abc import Iterator

from pyiceberg.table import Table

from maintenance.archive.files import count_files, missing_files
from maintenance.archive.guard import load_checked
from maintenance.doctor.finding import Finding, ok
from maintenance.doctor.probes.database import QUERY_REMEDY
from maintenance.doctor.rules import archive as rules
from maintenance.doctor.run import attempt
from tollbook.archive.agent_states import load_agent_states
from tollbook.archive.catalog import archive_errors, load_archive, load_calls, open_catalog
from tollbook.archive.totals import day_totals
from tollbook.config import Settings
from tollbook.errors import SchemaError
from tollbook.model.totals import Totals
from tollbook.store import health
from tollbook.store.database import check_schema
from tollbook.store.sums.sample import SumSample, sample_sums
from tollbook.store.sums.unbuilt import MANY_WAITING, unbuilt_days, unnamed_before, waiting_calls

_REMEDY = "calls wait in PostgreSQL until `tollbook archive run` can write them"
_FILES_REMEDY = "until then nobody can say whether a file is missing"


def check_archive(settings: Settings) -> Iterator[Finding]:
    yield (archive := attempt("archive", lambda: _archive(settings), _REMEDY, "tollbook archive run"))
    if archive.status:
        return
    yield attempt("archive files", lambda: _archive_files(settings), _FILES_REMEDY)
    yield attempt("sums", lambda: check_sums(settings), QUERY_REMEDY)


def check_sums(settings: Settings) -> Finding:
    """Compare some account-days of the sums with rows and archive. Raises our errors."""
    with health.looking(settings.require_database_url()) as connection:
        try:
            check_schema(connection)
        except SchemaError:  # a finding of its own
            return ok("sums", "not compared with the calls")
        unbuilt = len(unbuilt_days(connection))
        if unbuilt or unnamed_before(connection):
            return rules.sums_unbuilt(unbuilt)
        if waiting_calls(connection, MANY_WAITING) == MANY_WAITING:
            return rules.sums_waiting()
        samples = sample_sums(connection, rules.SAMPLED_ACCOUNTS)
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        differing = [sample for sample in samples if sample.summed != sample.rows + _archived_totals(table, sample)]
    return rules.sums(len(samples), differing)


def _archived_totals(table: Table | None, sample: SumSample) -> Totals:
    if table is None or not sample.archived:
        return Totals()
    totals = day_totals(table, sample.day, excluded=sample.excluded, accounts=[sample.account_id])
    return totals.get(sample.account_id, Totals())


def _archive_files(settings: Settings) -> Finding:
    """Look for the files that both tables name, by their names alone: `tollbook archive verify` reads them."""
    with open_catalog(settings) as catalog, archive_errors("listing the archive's files"):
        tables = [table for table in (load_calls(catalog), load_agent_states(catalog)) if table is not None]
        files = sum(map(count_files, tables))
        if not tables or files > rules.LISTED_FILES:
            return rules.archive_files(files, None)
        return rules.archive_files(files, [file for table in tables for file in missing_files(table)])


def _archive(settings: Settings) -> Finding:
    with health.looking(settings.require_database_url()) as connection, open_catalog(settings) as catalog:
        with archive_errors("reading the archive's metadata"):
            try:
                check_schema(connection)
            except SchemaError:  # a finding of its own; the tables of commits may be missing
                table = load_archive(catalog)
            else:
                table = load_checked(connection, catalog)
        snapshot = table.current_snapshot() if table is not None else None
        age_s = time.time() - snapshot.timestamp_ms / 1000 if snapshot is not None else None
        return rules.archive(age_s, table=table is not None)
