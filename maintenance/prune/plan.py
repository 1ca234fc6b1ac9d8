"""Which days prune drops, and whether the archive has what such a day holds. Pure. Days are counted from 1970-01-01."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tollbook.errors import ArchiveError, DataError
from tollbook.model.totals import Totals, differing_accounts
from tollbook.store.days.totals import DayTotals
from tollbook.times import MS_PER_DAY, date_of

# Calls that outlive their day are moved while every INSERT waits: 2,000 take some 30 ms. A day has that many open or
# unarchived calls only if the archiver has not run for weeks.
MAX_MOVED = 2000

# A call's legs are kept this many days longer than the call: a late leg is then folded together with all the others.
LEG_DAYS = 2

_SHOWN_ACCOUNTS = 10


def overdue_days(days: Iterable[int], today: int, retention_days: int) -> list[int]:
    """Return the days whose calls all began before the retention, oldest first."""
    return sorted(day for day in days if day < today - retention_days)


def overdue_leg_days(days: Iterable[int], window_start_ms: int) -> list[int]:
    """Return the days of legs that belong to no call in the window or shortly before it, oldest first."""
    return sorted(day for day in days if window_start_ms > (day + LEG_DAYS) * MS_PER_DAY)


@dataclass(frozen=True, kw_only=True)
class VerifiedDay:
    """A day that the archive has: its calls there, and those that must stay in PostgreSQL when the day is dropped."""

    calls: int
    staying: int


def verify_day(day: int, stored: DayTotals, archive: Mapping[str | None, Totals]) -> VerifiedDay:
    """Compare a day's totals per account in both tiers.

    Raises ArchiveError if too many calls are open or wait for the archive, and DataError if the tiers differ.
    """
    staying = len(stored.waiting) + stored.open
    if staying > MAX_MOVED:
        raise ArchiveError(
            f"{date_of(day)} is not dropped, nor any later day: more than {MAX_MOVED} of its calls are open"
            f" ({stored.open}) or wait for the archive: run `tollbook archive run`, see `tollbook doctor`, prune again"
        )
    if different := differing_accounts(stored.archived, archive):
        shown = "\n  ".join(map(str, different[:_SHOWN_ACCOUNTS]))
        more = f"\n  and {len(different) - _SHOWN_ACCOUNTS} more accounts" if len(different) > _SHOWN_ACCOUNTS else ""
        raise DataError(
            f"{date_of(day)} is not dropped, nor any later day: the archive and PostgreSQL do not agree on it.\n"
            f"  {shown}{more}\n"
            f"`tollbook prune --send-again {date_of(day)}`, then `tollbook archive run`, makes the archive hold these"
            " accounts' calls as PostgreSQL has them; `tollbook archive query` shows what it holds beyond that"
        )
    return VerifiedDay(calls=sum(totals.calls for totals in archive.values()), staying=staying)
