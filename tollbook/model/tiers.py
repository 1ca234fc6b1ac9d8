"""One page out of two tiers: the calls that PostgreSQL keeps, merged with those of the archive.

Calls that started at or after `window_start` are in PostgreSQL alone. Those before it are read from the archive, except
for late calls, which PostgreSQL still holds, and for calls whose archived row is outdated or deleted (`superseded`).

No call is missing or comes twice, whatever is archived or pruned meanwhile. The hot page, `window_start` and
`superseded` come from one snapshot of PostgreSQL, and the archive is loaded after it. A call that left PostgreSQL
before the snapshot was in the archive before it. A call that leaves after it is already in the hot page, and the
archive is asked neither for its key nor for anything from that `window_start` on. The next page begins after the last
key of this one, with a snapshot of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Final, TypeAlias

from tollbook.model.call_key import CallKey
from tollbook.model.record import COLUMNS, Record
from tollbook.model.selection import Selection

# What the rows of both tiers begin with: the record, and the column of its key that is not part of it.
KEYED_COLUMNS: Final = (*COLUMNS, "switch")

_START_TS, _CALL_ID, _SWITCH = map(KEYED_COLUMNS.index, CallKey._fields)
# A twentieth of the time of `key_of`, for every row of every page.
_start_of = itemgetter(_START_TS)


def read_columns(shown: Sequence[str]) -> tuple[str, ...]:
    """Return the columns to read so that `shown` can be shown: KEYED_COLUMNS, then the others, each once."""
    return tuple(dict.fromkeys((*KEYED_COLUMNS, *shown)))


def key_of(row: Record) -> CallKey:
    """Return the key of a row that begins with KEYED_COLUMNS."""
    start_ts, call_id, switch = row[_START_TS], row[_CALL_ID], row[_SWITCH]
    assert isinstance(start_ts, int)
    assert isinstance(call_id, str)
    assert isinstance(switch, str)
    return CallKey(start_ts, call_id, switch)


@dataclass(frozen=True, kw_only=True, slots=True)
class HotPage:
    """What one snapshot of PostgreSQL holds of a selection: its first rows in order, late calls included.

    `superseded`: keys before `window_start` whose archived row is outdated, whether they match the filters or not; none
    where the page does not reach into the archive.
    """

    rows: Sequence[Record]
    window_start: int
    superseded: frozenset[CallKey] = frozenset()


# Reads the first rows of a selection from the archive: up to so many, in its order, without those that have these keys.
ReadArchive: TypeAlias = Callable[[Selection, int, frozenset[CallKey]], Sequence[Record]]


def merge_tiers(selection: Selection, limit: int, hot: HotPage, read_archive: ReadArchive) -> Sequence[Record]:
    """Return the first `limit` rows of both tiers; `hot.rows` are up to `limit` rows of the selection in its order.

    The archive is read only when the page reaches into it.
    """
    older, lacking = archived_part(selection, limit, hot.rows, hot.window_start)
    if older is None:
        return hot.rows[:limit]
    late = [key_of(row) for row in hot.rows if _start_of(row) < hot.window_start]
    archived = read_archive(older, lacking, hot.superseded.union(late))
    return list(islice(merge(hot.rows, archived, key=key_of, reverse=selection.order == "desc"), limit))


def archived_part(
    selection: Selection, limit: int, rows: Sequence[Record], window_start: int
) -> tuple[Selection | None, int]:
    """Return what of a page can be in the archive, and up to how many rows of it are lacking; None: nothing is.

    `rows`: up to `limit` rows of the selection, in its order, that PostgreSQL has.
    """
    older = replace(selection, until=min(selection.until, window_start))
    first, end = older.remaining
    if first >= end:
        return None, 0
    newer = sum(_start_of(row) >= window_start for row in rows) if selection.order == "desc" else 0
    return (older, limit - newer) if newer < limit else (None, 0)
