"""What an engine is asked: the sums of archived calls, in total or by group.

How a reader of both tiers uses it:

1. in one snapshot of PostgreSQL, add up the rows (`tollbook.store.calls.stats`) and read the seam
   (`tollbook.store.calls.seam.read_seam`);
2. give the connection back, and ask the archive: `Archive.sum_calls(Question(selection=seam.archived, …),
   seam.excluded)`, in the API `SharedArchive.sum_calls`;
3. add the two with `CallSums.plus`, group by group. All groups come, in no order: which of them are the largest is only
   known when the sums of both tiers are added.
"""

from dataclasses import dataclass
from typing import Final

from tollbook.errors import QuestionTooLarge
from tollbook.model.call_sums import Periods
from tollbook.model.selection import Selection

#: The most groups of an answer, some 40 MB: a reader of both tiers needs all of them.
MAX_GROUPS: Final = 50_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """Which archived calls to add up, and by what: names in `sql.GROUPS`, or periods of the whole selection.

    The selection's `after` and `order` are ignored. `prefix_digits`: of the group `prefix`, how many characters of
    to_num, not counting a leading `+`. `within_ms`: the service level of a question about queues; without it, their
    figures are left out.
    """

    selection: Selection
    groups: tuple[str | Periods, ...] = ()
    prefix_digits: int = 4
    within_ms: int | None = None


def too_large(what: str) -> QuestionTooLarge:
    """Return the error for a question that has, takes or needs too much of something."""
    return QuestionTooLarge(
        f"this question {what}, and a part of the sums is never returned: ask for less time at once (a later since, an"
        " earlier until), or for fewer groups (days instead of hours, fewer prefix_digits)"
    )
