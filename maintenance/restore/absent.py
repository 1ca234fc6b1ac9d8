"""What becomes of rows that the attached archive does not have by their key, before it gets them: each call once.

A row of a backup may be of a call that was erased since, or deleted because its legs belong to another: the archive
says so (`maintenance.archive.gone`), and the row is removed.

Where both tiers have a call by two keys (`tollbook.model.call_span`), the key that begins earlier is the newer one:
a call's start moves only when an earlier leg is learnt of. If the archive has that one, the row here is of a backup,
and is removed. If the row does, the archive went back, and what it has of the call is removed from there; but a row
that is up says too little for that, and is left to the operator.
"""

from collections.abc import Iterator, Mapping, Sequence

from pyiceberg.table import Table

from tollbook.archive.lookup import find_calls
from tollbook.model.call_key import CallKey
from tollbook.model.call_span import LONGEST_CALL_MS, CallSpan, same_call
from tollbook.store.calls.absent import absent_calls, remove_calls, waiting_deletions
from tollbook.store.calls.restore import Restored
from tollbook.store.database import Connection
from tollbook.store.erasure.erased_legs import erased_before

# Rows that are looked up at once.
_PIECE_ROWS = 5_000


class AbsentRows:
    """The rows of a database that an attached archive does not have."""

    def __init__(self, connection: Connection, table: Table, deleted: Mapping[str, int]) -> None:
        """`deleted`: when calls were deleted, epoch ms, by `CallKey.sha256`, as far as the archive knows."""
        self._connection, self._table, self._deleted = connection, table, deleted

    def settle(self, day: int | None, archived: Sequence[CallKey], *, after: CallKey, last: CallKey) -> Restored:
        """Remove what is gone, and one of two keys of a call, after `after` up to `last`; `archived` are the archive's.

        `day`: None for the late calls. Safe to kill and to do again. Raises ArchiveError and StoreUnavailable.
        """
        done = Restored()
        while rows := absent_calls(self._connection, day, archived, after=after, last=last, limit=_PIECE_ROWS):
            erased, deleted, left = self._without_gone(rows)
            done += Restored(erased=erased, deleted=deleted)
            if left:
                done += self._settle_keys(left)
            after = rows[-1][0].key
        return done

    def _without_gone(self, rows: Sequence[tuple[CallSpan, int]]) -> tuple[int, int, list[CallSpan]]:
        """Remove rows of erased and of deleted calls; return how many, and the others."""
        until = erased_before(self._connection, {(row.key.switch, row.key.call_id) for row, _ in rows})
        erased = {row.key for row, _ in rows if row.key.start_ts < until.get((row.key.switch, row.key.call_id), 0)}
        deleted = {row.key for row, updated_ms in rows if updated_ms < self._deleted.get(row.key.sha256(), 0)} - erased
        if erased:
            remove_calls(self._connection, erased, with_prices=True)
        if deleted:
            remove_calls(self._connection, deleted)
        return len(erased), len(deleted), [row for row, _ in rows if row.key not in erased | deleted]

    def _settle_keys(self, rows: Sequence[CallSpan]) -> Restored:
        replaced, outdated, undecided = set[CallKey](), set[CallKey](), list[CallKey]()
        pairs = list(self._pairs(rows))
        deleted_here = waiting_deletions(self._connection, {other.key for _, other in pairs})
        for row, other in pairs:
            if other.key in deleted_here:
                continue
            if other.key < row.key:
                replaced.add(row.key)
            elif row.end_ts is not None:
                outdated.add(other.key)
            else:
                undecided.append(row.key)
        if gone := replaced | outdated:
            remove_calls(self._connection, gone)
        up = sum(row.end_ts is None and row.key not in gone for row in rows)
        return Restored(rekeyed=tuple(sorted(gone)), undecided=tuple(undecided), up=up)

    def _pairs(self, rows: Sequence[CallSpan]) -> Iterator[tuple[CallSpan, CallSpan]]:
        """Yield each row of which the archive has the call by another key, with that."""
        first, last = rows[0].key.start_ts, max(row.end_ts or row.key.start_ts + LONGEST_CALL_MS for row in rows)
        ids = {row.key.call_id for row in rows}
        by_id: dict[tuple[str, str], list[CallSpan]] = {}
        for call in find_calls(self._table, ids, first_ms=first - LONGEST_CALL_MS, last_ms=last):
            by_id.setdefault(call.key[1:], []).append(call)
        for row in rows:
            if (other := same_call(row, by_id.get(row.key[1:], ()))) is not None:
                yield row, other
