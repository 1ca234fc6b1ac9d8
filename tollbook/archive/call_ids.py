"""The index of call ids, in `call_ids/` beside the table: which data file has a call, by the hash of its id.

An index file is Parquet: for each call of some data files, whole files, the first five bytes of the SHA-256 of its id,
and its place, the number of a data file's row group; sorted by the hash, and delta encoded: 4 bytes a call. Which data
files these are is in its metadata, with a digest.

It is never trusted. A place is looked at: two ids can share a hash, one in a million million. It counts for the data
files that it names, as long as the table's newest state has them; all others, and those of an index file that is
damaged or gone, are searched themselves. So it needs no commit, and fits any state: a correction, a compaction, an
erasure or an older state that was attached changes which data files there are. `maintenance.compaction.call_ids`
writes it, from the data files alone.
"""

import hashlib
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any, Final, NamedTuple

import msgspec
from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table

from tollbook.archive._pyarrow import open_parquet, pa, pc
from tollbook.archive.live_files import MAX_KEPT_FILES
from tollbook.archive.storage import Storage

FOLDER: Final = "call_ids"

#: The columns of an index file.
HASH: Final = "id_hash"
PLACE: Final = "place"

HEADER: Final = b"tollbook.call-ids"
HEADER_DIGEST: Final = b"tollbook.call-ids.sha256"

#: The bits of a hash. More would find no wrong place less in practice, and cost a byte a call for each eight.
HASH_BITS: Final = 40

# Index files read at once: storage is waited for.
_AT_ONCE: Final = 8

_DAMAGED: Final = (OSError, pa.ArrowException, msgspec.DecodeError, KeyError)


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What an index file says of itself: its data files, below the table's location, and how many row groups each has.

    `firsts`: the first hash of each of its own row groups; Parquet's statistics have no checksum.
    """

    files: list[tuple[str, int]]
    firsts: list[int]


class Place(NamedTuple):
    """Where a call with the hash is: a row group of a data file."""

    file_path: str
    row_group: int


@dataclass(frozen=True, kw_only=True, eq=False)
class IndexFile:
    """An index file, opened: where it is, how many calls it has, and the data files that it covers."""

    location: str
    calls: int
    files: frozenset[str]
    header: Header
    root: str
    starts: Sequence[int]  # the number of the first place of each data file
    metadata: Any

    def places(self, io: FileIO, id_hash: int) -> list[Place]:
        """Return the places of a hash; raise what pyarrow and the storage raise."""
        first = max(bisect_left(self.header.firsts, id_hash) - 1, 0)
        groups = list(range(first, bisect_right(self.header.firsts, id_hash)))
        if not groups:
            return []
        with io.new_input(self.location).open() as stream:
            file = open_parquet(stream, metadata=self.metadata)
            rows = file.read_row_groups(groups, columns=[HASH, PLACE])
        return [self._place(number) for number in rows.filter(pc.equal(rows[HASH], id_hash))[PLACE].to_pylist()]

    def _place(self, number: int) -> Place:
        file = bisect_right(self.starts, number) - 1
        return Place(_absolute(self.root, self.header.files[file][0]), number - self.starts[file])


def hash_of(call_id: str) -> int:
    """Return the hash of a call's id, in HASH_BITS bits."""
    return int.from_bytes(hashlib.sha256(call_id.encode()).digest()[: HASH_BITS // 8])


def list_index_files(table: Table) -> list[str]:
    """List the locations of a table's index files, in any order; none where the storage cannot be listed."""
    if not isinstance(table.io, PyArrowFileIO):
        return []
    storage = Storage(table.io, table.location())
    return [storage.location(file.path) for file in storage.files(FOLDER) if file.path.endswith(".parquet")]


def open_index_file(table: Table, location: str) -> IndexFile | None:
    """Open an index file of a table; return None if it is damaged, gone, or cannot be read."""
    try:
        with table.io.new_input(location).open() as stream:
            metadata = open_parquet(stream).metadata
        content = metadata.metadata[HEADER]
        if hashlib.sha256(content).hexdigest().encode() != metadata.metadata[HEADER_DIGEST]:
            return None
        header = msgspec.json.decode(content, type=Header)
    except _DAMAGED:
        return None
    return IndexFile(
        location=location,
        calls=metadata.num_rows,
        files=frozenset(_absolute(table.location(), file) for file, _ in header.files),
        header=header,
        root=table.location(),
        starts=[0, *accumulate(groups for _, groups in header.files)],
        metadata=metadata,
    )


def _absolute(root: str, file: str) -> str:
    return f"{root}/{file}" if file.startswith("data/") else file


def relative(root: str, file_path: str) -> str:
    """Return a data file's location below that of its table; as it is where it is elsewhere."""
    below = file_path.removeprefix(f"{root}/")
    return below if below.startswith("data/") else file_path


class CallIds:
    """The index files of a table, kept open as long as they exist; for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, IndexFile] = {}

    def search(self, table: Table, call_id: str, wanted: Collection[str]) -> tuple[list[Place], set[str]]:
        """Return the places of an id within the `wanted` data files, and those that no index file answers for.

        Raises what the storage raises that cannot be listed.
        """
        places: list[Place] = []
        uncovered = set(wanted)
        id_hash = hash_of(call_id)
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            covering = [(file, uncovered & file.files) for file in self._files(table, threads)]
            covering = [(file, covered) for file, covered in covering if covered]
            found = threads.map(partial(_places, table.io, id_hash), [file for file, _ in covering])
            for (_, covered), of_file in zip(covering, found, strict=True):
                if of_file is not None:
                    places += [place for place in of_file if place.file_path in covered]
                    uncovered -= covered
        return list(dict.fromkeys(places)), uncovered

    def _files(self, table: Table, threads: ThreadPoolExecutor) -> list[IndexFile]:
        locations = list_index_files(table)
        with self._lock:
            known = self._open
        new = [location for location in locations if location not in known]
        opened = {file.location: file for file in threads.map(partial(open_index_file, table), new) if file is not None}
        files = [file for location in locations if (file := known.get(location) or opened.get(location))]
        with self._lock:
            self._open = {file.location: file for file in _first_of(files)}
        return files


def _places(io: FileIO, id_hash: int, file: IndexFile) -> list[Place] | None:
    try:
        return file.places(io, id_hash)
    except _DAMAGED:
        return None


def _first_of(files: Iterable[IndexFile]) -> Iterable[IndexFile]:
    """Yield those that together name no more than MAX_KEPT_FILES data files."""
    room = MAX_KEPT_FILES
    for file in files:
        room -= len(file.files)
        if room < 0:
            return
        yield file
