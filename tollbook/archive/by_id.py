"""Find archived calls by their id alone, however many there are: by the index of ids, and where it lacks files by them.

A data file that no index file covers is searched itself, in its ids alone: the next compaction covers it. Those are the
files since the last one, and of them only the ones with calls from before PostgreSQL's window.
"""

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from pyiceberg.table import Table

from tollbook.archive._pyarrow import open_parquet, pa, pc
from tollbook.archive.call_ids import CallIds
from tollbook.archive.catalog import archive_errors
from tollbook.archive.damage import naming_damage
from tollbook.archive.live_files import LiveFile, LiveFiles
from tollbook.archive.row_groups import with_all_columns
from tollbook.archive.rows import ArchivedRow, records_of
from tollbook.archive.schema import ARCHIVE_COLUMNS, archived_account, arrow_schema
from tollbook.errors import Retryable
from tollbook.model.accounts import OneAccount
from tollbook.model.call_key import CallKey
from tollbook.model.wanted_calls import WantedCalls
from tollbook.times import US_PER_MS

# Data files read at once, with a row group of each in memory: some 5 MB. Storage is waited for.
_FILES_AT_ONCE: Final = 4


#: So few calls, in so few files, are searched in less time than the index takes: the file of an account in which a call
#: of a known start must be. A file takes 1.5 ms, as an index file does.
FEW_CALLS: Final = 200_000
_FEW_FILES: Final = 4


class SearchTooLong(Retryable):
    """So much of the archive is not in the index of ids that a call was not found in time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownFiles:
    """What a process keeps of the archive between two searches."""

    live: LiveFiles = field(default_factory=LiveFiles)
    ids: CallIds = field(default_factory=CallIds)


def find_by_id(table: Table, wanted: WantedCalls, known: KnownFiles, *, within_s: float) -> dict[CallKey, ArchivedRow]:
    """Return the calls by their keys, in any order; all columns, times in epoch ms.

    Raises SearchTooLong when files that the index lacks take longer than `within_s` to search, ArchiveDamaged,
    SchemaError and ArchiveError.
    """
    deadline = time.monotonic() + within_s
    with archive_errors("looking a call up in the archive"), ThreadPoolExecutor(_FILES_AT_ONCE) as threads:
        files = {file.file_path: file for file in known.live.of(table) if _may_have(file, wanted)}
        if len(files) <= _FEW_FILES and sum(file.record_count for file in files.values()) <= FEW_CALLS:
            places, uncovered = [], set(files)
        else:
            places, uncovered = known.ids.search(table, wanted.call_id, files.keys())
        groups: dict[str, list[int]] = {}
        for place in places:
            groups.setdefault(place.file_path, []).append(place.row_group)
        read = partial(_read_file, table, wanted)
        found: dict[CallKey, ArchivedRow] = {}
        for rows in threads.map(read, map(files.__getitem__, groups), groups.values()):
            found |= rows
        newest_first = sorted((files[path] for path in uncovered), key=lambda file: file.last_us, reverse=True)
        for first in range(0, len(newest_first), _FILES_AT_ONCE):
            if time.monotonic() >= deadline:
                raise SearchTooLong(
                    f"{len(uncovered)} files of the archive are not in its index of call ids yet, and searching them"
                    " takes too long: name the call's start, or let `tollbook archive compact` index them"
                )
            some = newest_first[first : first + _FILES_AT_ONCE]
            for rows in threads.map(read, some):
                found |= rows
    return found


def _may_have(file: LiveFile, wanted: WantedCalls) -> bool:
    within = file.last_us >= wanted.first_ms * US_PER_MS and file.first_us < wanted.end_ms * US_PER_MS
    accounts = wanted.accounts
    return within and (not isinstance(accounts, OneAccount) or file.account == archived_account(accounts.account_id))


def _read_file(
    table: Table, wanted: WantedCalls, file: LiveFile, row_groups: Iterable[int] | None = None
) -> dict[CallKey, ArchivedRow]:
    """Return a file's calls that are wanted, from some of its row groups or from all."""
    found: dict[CallKey, ArchivedRow] = {}
    with naming_damage(table.io, [file]), table.io.new_input(file.file_path).open() as stream:
        opened = open_parquet(stream)
        for group in range(opened.num_row_groups) if row_groups is None else row_groups:
            has_id = pc.equal(opened.read_row_group(group, columns=["call_id"])["call_id"], wanted.call_id)
            for row in _records(opened, group, has_id) if pc.any(has_id).as_py() else ():
                key = CallKey(row["start_ts"], row["call_id"], row["switch"])
                if _is_wanted(key, row, wanted):
                    found[key] = row
    return found


def _records(opened: Any, group: int, chosen: Any) -> list[ArchivedRow]:
    present = [name for name in ARCHIVE_COLUMNS if name in opened.schema_arrow.names]
    rows = opened.read_row_group(group, columns=present).filter(chosen)
    schema = arrow_schema()
    cast = rows.select(present).cast(pa.schema([schema.field(name) for name in present])).combine_chunks()
    return [record for batch in cast.to_batches() for record in records_of(with_all_columns(batch, schema))]


def _is_wanted(key: CallKey, row: ArchivedRow, wanted: WantedCalls) -> bool:
    accounts = wanted.accounts
    is_theirs = not isinstance(accounts, OneAccount) or row["account_id"] == accounts.account_id
    return is_theirs and wanted.first_ms <= key.start_ts < wanted.end_ms and key not in wanted.excluded
