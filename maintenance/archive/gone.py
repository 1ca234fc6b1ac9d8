"""Calls that are no more, in `gone/` beside the table: a database that is restored from before still has their rows.

A call is deleted when its legs turn out to belong to another: the archive then has that one alone, or never had
either. The run that deletes it, or finds nothing to delete, first writes down the hash of its key (`CallKey.sha256`),
and when it was deleted: a row that was written later is not meant. An erasure writes down the hashes of the legs that
it has removed (`tollbook.store.erasure.erased_legs`). Neither says whose calls they were.

A file is JSON, and written again whole by a run that goes on after a kill. One that was cut off counts as absent.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec
from pyiceberg.io import FileIO
from pyiceberg.table import Table

from tollbook.archive.storage import Storage
from tollbook.model.call_key import CallKey

_FOLDER: Final = "gone"
_DELETED: Final = re.compile(r"/gone/deleted-[0-9a-f-]{36}\.json$")
_ERASED: Final = re.compile(r"/gone/erased-[0-9a-f-]{36}-\d+\.json$")

# A batch with deletions makes a file; so many are merged into one.
_MERGED_FILES: Final = 100


class ErasedLegs(msgspec.Struct, frozen=True, kw_only=True):
    """The hashes, in hexadecimal, of legs of erased calls, which began before `until_ts`, epoch ms."""

    until_ts: int
    legs: list[str]


_encode = msgspec.json.Encoder().encode
_decode_deleted = msgspec.json.Decoder(dict[str, int]).decode
_decode_erased = msgspec.json.Decoder(ErasedLegs).decode


def write_deleted(table: Table, name: UUID, deleted: Mapping[CallKey, int]) -> None:
    """Write down calls that were deleted, and when (epoch ms); `name`: the batch's. Raises what the storage raises."""
    _write(table, f"deleted-{name}", {key.sha256(): at_ms for key, at_ms in deleted.items()})


def write_erased(table: Table, erasure_id: UUID, until_ts: int, pieces: Iterable[list[str]]) -> None:
    """Write down the legs of an erasure, a file for each piece; raises what the storage raises."""
    for number, legs in enumerate(pieces):
        _write(table, f"erased-{erasure_id}-{number}", ErasedLegs(until_ts=until_ts, legs=legs))


def read_deleted(table: Table) -> dict[str, int]:
    """Return when each call was deleted, epoch ms, by the hash of its key; raises what the storage raises."""
    deleted: dict[str, int] = {}
    for location in _listed(table, _DELETED):
        content = _read(table.io, location)
        try:
            found = _decode_deleted(content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        for hashed, at_ms in found.items():
            deleted[hashed] = max(at_ms, deleted.get(hashed, at_ms))
    return deleted


def read_erased(table: Table) -> Iterator[ErasedLegs]:
    """Yield what the archive has of erasures, file by file; raises what the storage raises."""
    for location in _listed(table, _ERASED):
        try:
            yield _decode_erased(_read(table.io, location))
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue


def merge_deleted(table: Table, name: UUID) -> None:
    """Merge the files of deleted calls into one if there are many; call as sole archiver, raises as the storage."""
    merged = _listed(table, _DELETED)
    if len(merged) < _MERGED_FILES:
        return
    _write(table, f"deleted-{name}", read_deleted(table))
    storage = Storage(table.io, table.location())
    for location in merged:
        storage.delete(storage.path(location))


def _write(table: Table, name: str, content: object) -> None:
    output = table.io.new_output(f"{table.location()}/{_FOLDER}/{name}.json")
    with output.create(overwrite=True) as stream:
        stream.write(_encode(content))


def _read(io: FileIO, location: str) -> bytes:
    with io.new_input(location).open() as stream:
        return bytes(stream.read())


def _listed(table: Table, name: re.Pattern[str]) -> Sequence[str]:
    storage = Storage(table.io, table.location())
    return sorted(storage.location(file.path) for file in storage.files(_FOLDER) if name.search(file.path))
