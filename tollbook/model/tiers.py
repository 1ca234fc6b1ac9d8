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
from tollbook.model.record import COLUMNS, Record
from tollbook.model.selection import Selection

# What the rows of both tiers begin with: the record, and what its key has besides.
KEYED_COLUMNS: Final = (*COLUMNS, "switch")

_START_TS, _CALL_ID, _SWITCH = map(KEYED_COLUMNS.index, CallKey._fields)


def read_columns(shown: Sequence[str]) -> tuple[str, ...]:
    """Return the columns to read, those of the key among them, so that these can be shown."""
    return tuple(dict.fromkeys((*KEYED_COLUMNS, *shown)))


def key_of(row: Record) -> CallKey:
    """Return the key of a row of `read_columns`."""
    start_ts, call_id, switch = row[_START_TS], row[_CALL_ID], row[_SWITCH]
    assert isinstance(start_ts, int)
    assert isinstance(call_id, str)
    assert isinstance(switch, str)
    return CallKey(start_ts, call_id, switch)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hot:
    """What one snapshot of PostgreSQL holds of a selection: its first rows in order, late ones among them.

    `superseded`: keys before `window_start` whose archived form is outdated, whether they match the filters or not.
    """

    rows: Sequence[Record]
    window_start: int
    superseded: frozenset[CallKey] = frozenset()


# Reads up to so many archived rows of a selection, in its order, except those with these keys.
ReadArchive: TypeAlias = Callable[[Selection, int, frozenset[CallKey]], Sequence[Record]]


def merge_tiers(selection: Selection, limit: int, hot: Hot, read_archive: ReadArchive) -> Sequence[Record]:
    """Return the first `limit` rows of both tiers; `hot.rows` are up to `limit` rows of the selection in its order.

    The archive is read only when the page reaches into it.
    """
    older = replace(selection, until=min(selection.until, hot.window_start))
    first, end = older.remaining
    late = [key for key in map(key_of, hot.rows) if key.start_ts < hot.window_start]
    newer = len(hot.rows) - len(late)
    wanted = limit if selection.order == "asc" else limit - newer
    if wanted <= 0 or first >= end:
        return hot.rows[:limit]
    archived = read_archive(older, wanted, hot.superseded.union(late))
    return list(islice(merge(hot.rows, archived, key=key_of, reverse=selection.order == "desc"), limit))
