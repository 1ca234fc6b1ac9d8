"""`tollbook archive query`: the archive's calls as CSV, for people and scripts on this machine."""

import csv
from collections.abc import Iterable, Iterator
from typing import Any

from tollbook.config import Settings
from tollbook.lake.catalog import load_calls, open_catalog
from tollbook.lake.scan import Record, read_calls


def archived(settings: Settings, *, account_id: str | None, since_ms: int, until_ms: int) -> Iterator[Record]:
    """Read an account's archived calls of [since_ms, until_ms), newest first; every account's for None."""
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        if table is not None:
            yield from read_calls(
                table, account_id=account_id, since_ms=since_ms, until_ms=until_ms, every_account=account_id is None
            )


def write_csv(out: Any, columns: Iterable[str], records: Iterable[Record]) -> None:
    """Write a header and the records as RFC 4180 CSV."""
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(records)
