"""Data files that no metadata names, and that are newer than the state that was attached: calls of lost commits.

Where the newest metadata is lost and an older file of it is left, the archive goes on from that. What was archived
since may still be in data files that nothing leads to. They are also what killed commits and old merges leave, so a
file counts only for the calls in it that neither the archive nor PostgreSQL has, and that were not deleted or erased.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pyiceberg.table import Table

from maintenance.archive.files import named_paths
from tollbook.archive._pyarrow import open_parquet, pa
from tollbook.archive.lookup import find_calls
from tollbook.archive.rows import epoch_ms
from tollbook.archive.storage import Storage
from tollbook.model.call_key import CallKey
from tollbook.store.database import Connection
from tollbook.store.days.late import present
from tollbook.store.erasure.erased_legs import erased_before
from tollbook.times import MS_PER_DAY, date_of

# The clock of the storage may differ from ours by so much.
_SKEW_S: Final = 60.0

# Keys that are looked up at once.
_PIECE: Final = 5_000

_NAMED_FILES: Final = 10


@dataclass(frozen=True, kw_only=True)
class LeftBehind:
    """Data files with calls that nothing else has: how many, of which days, and files that cannot be read."""

    files: tuple[str, ...] = ()
    calls: int = 0
    first_ms: int = 0
    last_ms: int = 0
    unreadable: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return bool(self.files or self.unreadable)

    def __str__(self) -> str:
        """Return lines that say where they are and what to do."""
        lines = list[str]()
        if self.files:
            first, last = (date_of(at_ms // MS_PER_DAY) for at_ms in (self.first_ms, self.last_ms))
            lines.append(
                f"LEFT BEHIND: {self.calls} calls, begun {first} to {last}, are in {len(self.files)} data files that no"
                f" metadata names, and nowhere else: {_some(self.files)}"
            )
        if self.unreadable:
            lines.append(
                f"LEFT BEHIND: {len(self.unreadable)} data files that no metadata names cannot be read:"
                f" {_some(self.unreadable)}"
            )
        lines.append(
            "  nothing was removed, but `tollbook archive compact --remove-orphans`, the nightly timer's, removes such"
            " files when they are three days old: stop that timer, or copy them elsewhere. If a copy of the newer"
            " metadata is anywhere, bring it back and attach once more, naming its newest file; the switch's CDR files"
            " of these days bring back what they still have (`tollbook recover`)"
        )
        return "\n".join(lines)


NOTHING_LEFT: Final = LeftBehind()


def find_left_behind(connection: Connection, table: Table, since_s: float, deleted: Mapping[str, int]) -> LeftBehind:
    """Return what data files written after `since_s` (epoch s) have alone; `deleted` as `gone.read_deleted` returns it.

    All unnamed files of that time are read, in their keys. Call as sole archiver, when the window has been restored;
    raises StoreUnavailable, and what the storage raises.
    """
    storage = Storage(table.io, table.location())
    newer = [file for file in storage.files("data") if file.written_s >= since_s - _SKEW_S or not file.written_s]
    named = named_paths(storage, table) if newer else set[str]()
    files, unreadable, lost = list[str](), list[str](), set[CallKey]()
    for file in newer:
        if file.path in named or not file.path.endswith(".parquet"):
            continue
        location = storage.location(file.path)
        keys = _keys(table, location)
        if keys is None:
            unreadable.append(location)
            continue
        pieces = (set(keys[begin : begin + _PIECE]) for begin in range(0, len(keys), _PIECE))
        if here := {key for piece in pieces for key in _lacking(connection, table, piece, deleted)}:
            files.append(location)
            lost |= here
    starts = [key.start_ts for key in lost]
    return LeftBehind(
        files=tuple(sorted(files)), calls=len(lost), unreadable=tuple(sorted(unreadable)),
        first_ms=min(starts, default=0), last_ms=max(starts, default=0),
    )  # fmt: skip


def _keys(table: Table, location: str) -> list[CallKey] | None:
    """Return the keys in a file; None if it is no whole data file. Raises what the storage raises."""
    with table.io.new_input(location).open() as stream:
        content = bytes(stream.read())
    try:
        rows = open_parquet(pa.BufferReader(content)).read(columns=list(CallKey._fields))
    except Exception:  # noqa: BLE001 - all that can go wrong here is the file's fault
        return None
    return list(
        map(CallKey, epoch_ms(rows["start_ts"]).to_pylist(), rows["call_id"].to_pylist(), rows["switch"].to_pylist())
    )


def _lacking(connection: Connection, table: Table, keys: set[CallKey], deleted: Mapping[str, int]) -> Iterator[CallKey]:
    """Yield the keys of calls that are neither in PostgreSQL nor in the archive, and not gone."""
    keys = {key for key in keys - present(connection, keys) if key.sha256() not in deleted}
    if not keys:
        return
    until = erased_before(connection, {(key.switch, key.call_id) for key in keys})
    starts = [key.start_ts for key in keys]
    found = find_calls(table, {key.call_id for key in keys}, first_ms=min(starts), last_ms=max(starts))
    archived = {call.key for call in found}
    for key in keys - archived:
        if key.start_ts >= until.get((key.switch, key.call_id), 0):
            yield key


def _some(files: tuple[str, ...]) -> str:
    return ", ".join(files[:_NAMED_FILES]) + (", …" if len(files) > _NAMED_FILES else "")
