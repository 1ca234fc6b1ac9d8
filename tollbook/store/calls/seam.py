"""Where PostgreSQL ends and the archive begins, for a selection: which archived calls count, and which do not."""

from dataclasses import dataclass, replace
from itertools import starmap
from typing import Final, LiteralString

from tollbook.errors import QuestionTooLarge
from tollbook.model.call_key import CallKey
from tollbook.model.selection import Selection
from tollbook.store.calls.where import matching
from tollbook.store.database import Connection, store_errors
from tollbook.store.days.window import read_window

#: The most keys that are looked for among archived calls: 30 MB, and among 5,000,000 calls 1.5 s more than for none.
MAX_EXCLUDED: Final = 100_000

_LATE: Final[LiteralString] = "SELECT start_ts, call_id, switch FROM call_cdr WHERE {conditions} LIMIT %(limit)s"


@dataclass(frozen=True, kw_only=True, slots=True)
class Seam:
    """What the archive adds to the sums of the rows that PostgreSQL has of a selection.

    These are the archived calls of `archived`, which ends at the window's start, except those with a key in `excluded`:
    late calls, which PostgreSQL has itself, and calls that were changed or deleted after they were archived. `archived`
    is None for a selection that begins in the window.
    """

    archived: Selection | None
    excluded: frozenset[CallKey]


def read_seam(connection: Connection, selection: Selection) -> Seam:
    """Return the seam of a selection in the snapshot in which its rows are summed; its `after` is ignored.

    Call inside `row_security.reading` or `row_security.snapshot`, and load the archive afterwards, for the reason that
    `tollbook.model.tiers` gives. Raises QuestionTooLarge for more than MAX_EXCLUDED keys, and StoreUnavailable.

    As a rule the keys are few: pruning a day leaves at most 4,000 late calls. But a re-rate of archived calls, or their
    recovery, makes each a late call for a window's length.
    """
    older = replace(selection, until=min(selection.until, read_window(connection).start_ts), after=None)
    if older.since >= older.until:
        return Seam(archived=None, excluded=frozenset())
    conditions, parameters = matching(selection.accounts, selection.filters)
    where = " AND ".join(["start_ts >= %(since)s", "start_ts < %(until)s", *conditions])
    parameters |= {"since": older.since, "until": older.until, "limit": MAX_EXCLUDED + 1}
    with store_errors():
        late = connection.execute(_LATE.format(conditions=where), parameters).fetchall()
    excluded = read_superseded(connection, older.since, older.until, limit=MAX_EXCLUDED + 1).union(
        starmap(CallKey, late)
    )
    if len(excluded) > MAX_EXCLUDED:
        raise QuestionTooLarge(
            f"more than {MAX_EXCLUDED:,} archived calls of this time were changed (re-rated, say), and a part of the"
            " sums is never returned: ask for less time at once (a later since, an earlier until)"
        )
    return Seam(archived=older, excluded=excluded)


def read_superseded(connection: Connection, first: int, end: int, *, limit: int | None = None) -> frozenset[CallKey]:
    """Return the keys of the calls from before the window that were changed or deleted after they were archived.

    They began in [first, end), which ends at the window's start; at most `limit` of them. They are those that wait in
    the outbox: few, but for the minutes after a re-rate of archived calls. They are every account's, because a call
    that moved to another account waits under that one, and is archived under the one before. Raises StoreUnavailable.
    """
    if first >= end:
        return frozenset()
    with store_errors():
        rows = connection.execute(
            "SELECT start_ts, call_id, switch FROM archive_outbox WHERE start_ts >= %s AND start_ts < %s LIMIT %s",
            (first, end, limit),
        ).fetchall()
    return frozenset(starmap(CallKey, rows))


def read_known_keys(connection: Connection, first: int, end: int) -> frozenset[CallKey]:
    """Return the keys of all calls of [first, end), epoch ms, whose archived form does not count.

    They are PostgreSQL's rows, and what `read_superseded` returns. Raises StoreUnavailable.
    """
    with store_errors():
        rows = connection.execute(_KNOWN, {"first": first, "end": end}).fetchall()
    return frozenset(starmap(CallKey, rows))


_KNOWN: Final[LiteralString] = """
    SELECT start_ts, call_id, switch FROM call_cdr WHERE start_ts >= %(first)s AND start_ts < %(end)s
    UNION SELECT start_ts, call_id, switch FROM archive_outbox WHERE start_ts >= %(first)s AND start_ts < %(end)s
"""
