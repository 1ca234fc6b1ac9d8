"""Write the index of call ids (`tollbook.archive.call_ids`), from the data files alone.

An index file is full when it has half of FILE_CALLS in data files that the table still has, and then it stays. The
others are written anew, in one, together with what no index file covers, and deleted after that: so a night writes what
is new and no more than one index file's amount besides. A kill leaves a file too many, whose calls are found twice.
"""

import hashlib
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final
from uuid import uuid4

import msgspec
from pyiceberg.table import Table

from tollbook.archive._pyarrow import open_parquet, pa, parquet, pc
from tollbook.archive.call_ids import (
    FOLDER,
    HASH,
    HASH_BITS,
    HEADER,
    HEADER_DIGEST,
    PLACE,
    Header,
    IndexFile,
    hash_of,
    list_index_files,
    open_index_file,
    relative,
)
from tollbook.archive.catalog import archive_errors
from tollbook.archive.damage import naming_damage
from tollbook.archive.live_files import LiveFile, LiveFiles
from tollbook.archive.storage import Storage
from tollbook.errors import ArchiveError

#: The calls of an index file, which takes 40 MB and 5.5 s of CPU to write: other writers wait for that. A data file
#: that has more is indexed as a whole all the same.
FILE_CALLS: Final = 4_000_000

# Stays when all index files are deleted. pyarrow leaves a marker for a folder that it empties on S3, and some servers
# (rclone) then refuse uploads below it.
_ABOUT: Final = "about.txt"
_ABOUT_TEXT: Final = (
    b"An index of call ids, by which a call is found that PostgreSQL no longer has: see docs/archive.md. Index files"
    b" may be deleted: `tollbook archive compact` makes them anew.\n"
)

# A look-up reads one: 260 kB.
_ROW_GROUP: Final = 65_536

# A hash and a place are sorted as one integer: 40 bits, and 23 for the place.
_PLACE_BITS: Final = 23
_SORTED_PARTS: Final = 16


def index_some(table: Table, without: Collection[str] = ()) -> int | None:
    """Write an index file for data files that have none, except those at `without`; return how many calls it has.

    Returns None when nothing is left to write. Call as sole archiver, with the newest table, until then. Raises
    ArchiveDamaged for a data file that is damaged, ArchiveError, and SettingsError for a FileIO that cannot list files.
    """
    storage = Storage(table.io, table.location())
    with archive_errors("indexing the archive's call ids"):
        live = _live_files(table, without)
        stored = [(location, open_index_file(table, location)) for location in list_index_files(table)]
        usable = {file: _live_calls(file, live) for _, file in stored if file is not None}
        full = [file for file, calls in usable.items() if calls * 2 >= FILE_CALLS]
        rest = [file for file, calls in usable.items() if calls * 2 < FILE_CALLS]
        covered = _covered(full)
        wanted = sorted(
            (file for path, file in live.items() if path not in covered),
            key=lambda file: (file.month, file.account, file.first_us),
        )
        useless = [location for location, file in stored if file is None]
        if not wanted:
            _delete(storage, useless + [file.location for file in rest])
            return None
        if len(rest) == 1 and {file.file_path for file in wanted} <= rest[0].files:
            _delete(storage, useless)
            return None
        files = list(_fit_one(wanted))
        calls = _write(table, files)
        covered |= {file.file_path for file in files}
        _delete(storage, useless + [file.location for file in rest if live.keys() & file.files <= covered])
    return calls


def forget_removed_files(table: Table) -> None:
    """Delete each index file that covers a data file which the table no longer has: it holds hashes of its calls' ids.

    What else it covered is searched without it until the next compaction. Call as sole archiver; raises ArchiveError,
    and SettingsError as `index_some`.
    """
    storage = Storage(table.io, table.location())
    with archive_errors("erasing from the index of call ids"):
        live = _live_files(table)
        stored = [(location, open_index_file(table, location)) for location in list_index_files(table)]
        _delete(storage, [location for location, file in stored if file is None or not file.files <= live.keys()])


def _live_files(table: Table, without: Collection[str] = ()) -> dict[str, LiveFile]:
    return {file.file_path: file for file in LiveFiles().of(table) if file.file_path not in without}


def _live_calls(file: IndexFile, live: Mapping[str, LiveFile]) -> int:
    return sum(live[path].record_count for path in live.keys() & file.files)


def _covered(files: Iterable[IndexFile]) -> frozenset[str]:
    return frozenset[str]().union(*(file.files for file in files))


def _fit_one(files: Iterable[LiveFile]) -> Iterator[LiveFile]:
    """Yield the first files, so many that the index file is full if there are more."""
    calls = 0
    for file in files:
        if calls * 2 >= FILE_CALLS and calls + file.record_count > FILE_CALLS:
            return
        calls += file.record_count
        yield file


def _write(table: Table, files: Iterable[LiveFile]) -> int:
    packed, places, groups = array("q"), 0, list[tuple[str, int]]()
    for file in files:
        with naming_damage(table.io, [file]), table.io.new_input(file.file_path).open() as stream:
            opened = open_parquet(stream)
            for group in range(opened.num_row_groups):
                ids = opened.read_row_group(group, columns=["call_id"])["call_id"].to_pylist()
                packed.extend([hash_of(call_id) << _PLACE_BITS | places for call_id in ids])
                places += 1
        groups.append((relative(table.location(), file.file_path), opened.num_row_groups))
    assert places < 1 << _PLACE_BITS
    values = pa.Array.from_buffers(pa.int64(), len(packed), [None, pa.py_buffer(packed)])
    location = _write_file(table, _sorted(values), groups)
    if open_index_file(table, location) is None:
        # Otherwise it would be written again for ever.
        raise ArchiveError(
            f"{location} was written, and cannot be read: see whether the storage gives back what it gets"
        )
    return len(packed)


def _sorted(values: Any) -> Iterator[Any]:
    """Yield packed values in order, a row group at a time, and never sort all of them at once."""
    rest = values.slice(0, 0)
    step = (1 << HASH_BITS + _PLACE_BITS) // _SORTED_PARTS
    for part in range(_SORTED_PARTS):
        first, last = part * step, (part + 1) * step - 1
        # Hashes are spread evenly, so one part has about as many as another.
        some = values.filter(pc.and_(pc.greater_equal(values, first), pc.less_equal(values, last)))
        rest = pa.concat_arrays([rest, some.take(pc.array_sort_indices(some))])
        whole = len(rest) - len(rest) % _ROW_GROUP
        for begin in range(0, whole, _ROW_GROUP):
            yield rest.slice(begin, _ROW_GROUP)
        rest = rest.slice(whole)
    if len(rest):
        yield rest


def _write_file(table: Table, row_groups: Iterable[Any], files: list[tuple[str, int]]) -> str:
    about = table.io.new_output(f"{table.location()}/{FOLDER}/{_ABOUT}")
    if not about.exists():
        with about.create() as stream:
            stream.write(_ABOUT_TEXT)
    schema = pa.schema([(HASH, pa.int64()), (PLACE, pa.int32())])
    location = f"{table.location()}/{FOLDER}/{uuid4()}.parquet"
    firsts: list[int] = []
    with table.io.new_output(location).create() as stream:
        writer = parquet.ParquetWriter(
            stream, schema, compression="none", use_dictionary=[PLACE], column_encoding={HASH: "DELTA_BINARY_PACKED"},
            write_statistics=False, write_page_checksum=True, store_schema=False,
        )  # fmt: skip
        for some in row_groups:
            hashes = pc.shift_right(some, _PLACE_BITS)
            places = pc.bit_wise_and(some, (1 << _PLACE_BITS) - 1).cast(pa.int32())
            writer.write_table(pa.table([hashes, places], schema=schema), row_group_size=_ROW_GROUP)
            firsts.append(hashes[0].as_py())
        header = msgspec.json.encode(Header(files=files, firsts=firsts))
        writer.add_key_value_metadata({HEADER: header, HEADER_DIGEST: hashlib.sha256(header).hexdigest()})
        writer.close()
    return location


def _delete(storage: Storage, locations: Iterable[str]) -> None:
    for location in locations:
        storage.delete(storage.path(location))
