"""`tollbook archive query`: the archive's calls as JSON lines or CSV, for people and scripts on this machine."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import msgspec

from tollbook.archive.catalog import open_catalog
from tollbook.archive.known import load_known_calls
from tollbook.archive.pages import read_all
from tollbook.config import Settings
from tollbook.model.formula import defuse
from tollbook.model.record import JSON_COLUMNS, QUERIED_COLUMNS, Record
from tollbook.model.selection import Selection
from tollbook.store.archive_commits import archive_begun


def archived_calls(settings: Settings, selection: Selection) -> Iterator[Record]:
    """Yield the archived calls of a selection with QUERIED_COLUMNS, read page by page.

    Raises ArchiveLost, and ArchiveError, even after the first page.
    """
    with open_catalog(settings) as catalog:
        table = load_known_calls(catalog, partial(archive_begun, settings.require_database_url()))
        if table is not None:
            yield from read_all(table, selection, columns=QUERIED_COLUMNS)


def write_csv(out: Any, columns: Iterable[str], records: Iterable[Record]) -> None:
    """Write a header and the records as RFC 4180 CSV, in which no spreadsheet finds a formula."""
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(map(csv_fields, records))


def csv_fields(record: Record) -> list[object]:
    """Return the fields of a record as the API writes them, in which no spreadsheet finds a formula."""
    return [
        defuse(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else value
        for value in record
    ]


def write_json(out: Any, columns: Sequence[str], records: Iterable[Record]) -> None:
    """Write one JSON object per line for each record. A column of JSON is JSON in it, and no text."""
    encode = msgspec.json.Encoder().encode
    for record in records:
        call = dict(zip(columns, record, strict=True))
        for name in JSON_COLUMNS:
            if isinstance(json := call.get(name), str):
                call[name] = msgspec.Raw(json.encode())
        out.write(encode(call).decode() + "\n")
