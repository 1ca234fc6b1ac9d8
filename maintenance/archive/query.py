"""`tollbook archive query`: the archive's calls as JSON lines or CSV, for people and scripts on this machine."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.pages import read_all
from tollbook.config import Settings
from tollbook.model.formula import defuse
from tollbook.model.record import Record
from tollbook.model.selection import Selection


def archived_calls(settings: Settings, selection: Selection) -> Iterator[Record]:
    """Yield the archived calls of a selection, read page by page; raise ArchiveError, even after the first page."""
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        if table is not None:
            yield from read_all(table, selection)


def write_csv(out: Any, columns: Iterable[str], records: Iterable[Record]) -> None:
    """Write a header and the records as RFC 4180 CSV, in which no spreadsheet finds a formula."""
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([defuse(value) if isinstance(value, str) else value for value in record] for record in records)


def write_json(out: Any, columns: Sequence[str], records: Iterable[Record]) -> None:
    """Write one JSON object per line for each record."""
    encode = msgspec.json.Encoder().encode
    for record in records:
        out.write(encode(dict(zip(columns, record, strict=True))).decode() + "\n")
