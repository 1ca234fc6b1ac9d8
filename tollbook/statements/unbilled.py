"""The calls of a month that nobody is billed for: how many, out of kept sums; and which, out of both tiers.

Most are of no account, and so of no account's time zone: the month is one of the zone in the settings.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Final, get_args
from zoneinfo import ZoneInfo

from tollbook.archive.reader import Archive
from tollbook.config import Settings
from tollbook.log import printable
from tollbook.model.unbilled import Cause, Unbilled, UnbilledCounts, add_up_unbilled, cause_of
from tollbook.statements.period import begin_of, next_month
from tollbook.store.archive_commits import archive_begun
from tollbook.store.calls.seam import read_known_keys
from tollbook.store.database import Connection, TimeLimits, check_schema, connect
from tollbook.store.days.window import read_window
from tollbook.store.row_security import snapshot
from tollbook.store.statements.unbilled import existing_accounts, read_unbilled
from tollbook.store.sums.unbilled_counts import count_unbilled

# A month of ten million rows is read in a minute or two, and nobody else waits.
_LIMITS: Final = TimeLimits(statement_s=800)
_CAUSES: Final[tuple[Cause, ...]] = get_args(Cause)


def count_month(connection: Connection, settings: Settings, month: str) -> UnbilledCounts | None:
    """Count the calls of a month that nobody is billed for, for a terminal; None: its sums are not built.

    Call as `row_security.snapshot`; raises StoreUnavailable.
    """
    found = count_unbilled(connection, *_bounds(settings, month))
    return found if found is None or found.code is None else replace(found, code=printable(found.code))


def find_month(settings: Settings, month: str) -> Sequence[tuple[Cause, Unbilled]]:
    """Return the calls of a month that nobody is billed for, by cause and account code, most calls of a cause first.

    Raises StoreUnavailable, SchemaError, ArchiveError, ArchiveDamaged and ArchiveLost.
    """
    url = settings.require_database_url()
    first, end = _bounds(settings, month)
    with connect(url, name="statement", autocommit=True, limits=_LIMITS) as connection:
        check_schema(connection)
        with snapshot(connection):
            parts = read_unbilled(connection, first, end)
            archived_end = min(end, read_window(connection).start_ts)
            excluded = read_known_keys(connection, first, archived_end)
        if first < archived_end:
            with closing(Archive(settings, partial(archive_begun, url))) as archive:
                parts += archive.find_unbilled(first, archived_end, excluded)
        found = add_up_unbilled(parts)
        accounts = existing_accounts(connection, [some.account_id for some in found if some.account_id is not None])
    judged: list[tuple[Cause, Unbilled]] = [(cause_of(some.account_id, accounts), some) for some in found]
    return sorted(judged, key=lambda each: _CAUSES.index(each[0]))


def unbilled_command(month: str) -> str:
    """Return the command that prints `find_month`."""
    return f"tollbook statement --unbilled --month {month}"


def _bounds(settings: Settings, month: str) -> tuple[int, int]:
    zone = ZoneInfo(settings.statement_zone)
    return begin_of(month, zone), begin_of(next_month(month), zone)
