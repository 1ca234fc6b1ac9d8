"""Which days prune drops, and what is said of a day that stays. Pure. Days are counted from 1970-01-01."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from maintenance.prune.differences import ONLY_IN_ARCHIVE, CallDifference
from tollbook.errors import ArchiveError, DataError
from tollbook.times import MS_PER_DAY, date_of

# Calls that outlive their day are moved while every INSERT waits: 2,000 take some 30 ms. A day has that many open or
# unarchived calls only if the archiver has not run for weeks.
MAX_MOVED = 2000

# A call's legs are kept this many days longer than the call, or than TOLLBOOK_LEG_DAYS says: a late leg is then folded
# together with all the others.
SLACK_LEG_DAYS = 2


def overdue_days(days: Iterable[int], today: int, retention_days: int) -> list[int]:
    """Return the days whose calls all began before the retention, oldest first."""
    return sorted(day for day in days if day < today - retention_days)


def overdue_leg_days(days: Iterable[int], window_start_ms: int, longer: int) -> list[int]:
    """Return the days of legs that belong to no call in the window or shortly before it, oldest first.

    `longer`: for how many days more than their calls legs are to be shown.
    """
    return sorted(day for day in days if window_start_ms > (day + longer + SLACK_LEG_DAYS) * MS_PER_DAY)


@dataclass(frozen=True, kw_only=True)
class VerifiedDay:
    """A day that the archive has: its calls there, and those that must stay in PostgreSQL when the day is dropped."""

    calls: int
    staying: int


def count_staying(day: int, waiting: int, still_open: int) -> int:
    """Return how many calls of a day must stay; raise ArchiveError if they are more than may be moved."""
    staying = waiting + still_open
    if staying > MAX_MOVED:
        raise ArchiveError(
            f"{date_of(day)} is not dropped, nor any later day: more than {MAX_MOVED} of its calls are open"
            f" ({still_open}) or wait for the archive: run `tollbook archive run`, see `tollbook doctor`, prune again"
        )
    return staying


def refusal(day: int, shown: Sequence[CallDifference]) -> DataError:
    """Return the error for a day on which the tiers differ; `shown`: the first calls that do."""
    calls = "\n  ".join(map(str, shown))
    date = date_of(day)
    if any(difference.how == ONLY_IN_ARCHIVE for difference in shown):
        # Sending again would leave such calls where they are, and the day would be refused again.
        cure = (
            f"`tollbook archive restore {date}`, then `tollbook archive run`, brings back what only the archive has and"
            " sends it what it lacks; of a call that differs, the higher revision counts, of equal ones the archive's"
        )
    else:
        cure = (
            f"`tollbook prune --send-again {date}`, then `tollbook archive run`, makes the archive hold such calls as"
            " PostgreSQL has them"
        )
    return DataError(
        f"{date} is not dropped, nor any later day: the archive and PostgreSQL do not agree on it. The first calls that"
        f" differ:\n  {calls}\n{cure}"
    )
