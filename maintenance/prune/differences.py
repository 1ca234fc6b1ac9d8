"""Which calls of a short time the tiers hold differently, and in which columns. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from maintenance.prune.row_digests import row_texts
from tollbook.archive.rows import epoch_ms
from tollbook.log import printable
from tollbook.model.call_key import CallKey
from tollbook.times import written

ONLY_IN_POSTGRESQL = "is not in the archive"
ONLY_IN_ARCHIVE = "is only in the archive"


@dataclass(frozen=True, kw_only=True, slots=True)
class CallDifference:
    """A call that the tiers hold differently, and how, as the end of a sentence."""

    key: CallKey
    how: str

    def __str__(self) -> str:
        """Name the call and the difference."""
        start = written(self.key.start_ts)
        return f"call {printable(self.key.call_id)} of {start} on {printable(self.key.switch)} {self.how}"


def differences(stored: Any, archived: Iterable[Any]) -> Iterator[CallDifference]:
    """Yield the calls that differ, in the order of their keys.

    `stored` is an Arrow table; `archived` are batches, each with the columns that its file has: a column that was added
    later is compared where it is.
    """
    ours = dict(zip(_keys(stored), range(len(stored)), strict=True))
    texts: dict[tuple[str, ...], list[bytes]] = {}
    seen: defaultdict[CallKey, int] = defaultdict(int)
    unequal: dict[CallKey, Collection[str]] = {}
    for batch in archived:
        names = tuple(batch.schema.names)
        if names not in texts:
            texts[names] = row_texts(stored.select(names))
        for place, (key, text) in enumerate(zip(_keys(batch), row_texts(batch), strict=True)):
            seen[key] += 1
            row = ours.get(key)
            if row is not None and text != texts[names][row]:
                unequal[key] = [name for name in names if not batch[name][place].equals(stored[name][row])]
    for key in sorted(ours.keys() | seen.keys()):
        if how := _how(seen[key], key in ours, unequal.get(key, ())):
            yield CallDifference(key=key, how=how)


def _how(in_archive: int, in_postgresql: bool, columns: Collection[str]) -> str:
    if not in_archive:
        return ONLY_IN_POSTGRESQL
    if not in_postgresql:
        return ONLY_IN_ARCHIVE
    if in_archive > 1:
        return f"is in the archive {in_archive} times"
    return f"differs in {', '.join(columns)}" if columns else ""


def _keys(rows: Any) -> list[CallKey]:
    return list(
        map(CallKey, epoch_ms(rows["start_ts"]).to_pylist(), rows["call_id"].to_pylist(), rows["switch"].to_pylist())
    )
