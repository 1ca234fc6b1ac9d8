"""One page out of two tiers: the calls that PostgreSQL keeps, laid over those of the archive.

Calls that began at or after `window_start` are in PostgreSQL alone. Before it the archive is the truth, save for late
calls, which PostgreSQL still holds, and for those whose archived form is outdated or deleted, `superseded`.

Why no call is missing or twice, whatever is archived or pruned meanwhile: the hot page, `window_start` and `superseded`
come from one snapshot, and the archive is loaded after it. A call that left PostgreSQL before that snapshot was in the
archive before it. One that leaves after it is in the hot page already, and the archive is asked neither for its key nor
for anything from that `window_start` on. The next page begins behind a key, with a snapshot of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from heapq import merge
from itertools import islice
from typing import Final, TypeAlias

from tollbook.model.call_key import CallKey
from tollbook.model.record import COLUMNS
from tollbook.model.selection import Selection

Record: TypeAlias = tuple[object, ...]

# Both tiers give rows that begin with these: with their key.
ROW_COLUMNS: Final = (*COLUMNS, "switch")

_START_TS, _CALL_ID, _SWITCH = map(ROW_COLUMNS.index, CallKey._fields)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hot:
    """What one snapshot of PostgreSQL holds of a selection: its first rows in order, late ones among them.

    `superseded`: keys before `window_start` whose archived form is outdated, whether they match the filters or not.
    """

    rows: Sequence[Record]
    window_start: int
    superseded: frozenset[CallKey] = frozenset()


# Gives up to so many archived rows of a selection in its order, none of them under these keys.
ReadArchive: TypeAlias = Callable[[Selection, int, frozenset[CallKey]], Sequence[Record]]


def page(selection: Selection, limit: int, hot: Hot, read_archive: ReadArchive) -> Sequence[Record]:
    """Give the first `limit` rows of both tiers; `hot.rows` are up to `limit` rows of the selection in its order.

    The archive is read only when the page reaches into it.
    """
    older = replace(selection, until=min(selection.until, hot.window_start))
    late = [row for row in hot.rows if _start(row) < hot.window_start]
    newer = len(hot.rows) - len(late)
    wanted = limit if selection.order == "asc" else limit - newer
    if wanted <= 0 or not _reaches(older):
        return hot.rows[:limit]
    known = hot.superseded | {_key(row) for row in late}
    archived = read_archive(older, wanted, known)
    return list(islice(merge(hot.rows, archived, key=_key, reverse=selection.order == "desc"), limit))


def _reaches(older: Selection) -> bool:
    """Tell whether any call can begin in the span, behind the row of the page before."""
    if older.since >= older.until:
        return False
    if older.after is None:
        return True
    return older.after[0] >= older.since if older.order == "desc" else older.after[0] < older.until


def _start(row: Record) -> int:
    start = row[_START_TS]
    assert isinstance(start, int)
    return start


def _key(row: Record) -> CallKey:
    call_id, switch = row[_CALL_ID], row[_SWITCH]
    assert isinstance(call_id, str)
    assert isinstance(switch, str)
    return CallKey(_start(row), call_id, switch)
