"""Merge data files, each sorted by the calls' keys, into one, in bounded memory.

The files of an account and month mostly follow one another in time. A file is opened only when the merge has reached
its first call, and is read some thousand rows at a time: memory holds one row group as it is written, and of each file
that overlaps with others an encoded row group and these rows.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from uuid import uuid4

from pyiceberg.conversions import from_bytes
from pyiceberg.io.fileformat import FileFormatFactory
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.partitioning import PartitionKey
from pyiceberg.table import Table
from pyiceberg.types import TimestamptzType

from maintenance.archive.hashed_files import HashingFileIO, WrittenFile
from maintenance.compaction.plan import FEW_OVERLAPPING, overlapping
from tollbook.archive._pyarrow import open_parquet, pa, pc, untyped
from tollbook.archive.damage import naming_damage
from tollbook.archive.schema import START_FIELD, arrow_schema
from tollbook.model.call_key import CallKey

# Rows per row group, as the table's property says; a page of one hour then reads a few of them.
ROW_GROUP = 20_000

# Rows decoded at a time of a file, and of each of several that overlap: as many cost a fifth more time.
_SLICE = 2_500
_SMALL_SLICE = 1_000

_KEY = [(name, "ascending") for name in CallKey._fields]
_BEFORE_ALL = -(2**63)  # a start_ts before that of any call


def merge(
    table: Table, files: Sequence[DataFile], key: PartitionKey, *, keep: Callable[[Any], Any] | None = None
) -> WrittenFile:
    """Write the rows of one partition's files to a new file, which is part of no table until it is committed.

    `keep` returns, of an Arrow table of rows, those to write; None: all. Raises ArchiveDamaged, and what pyarrow and
    the storage raise.
    """
    model = FileFormatFactory.get(FileFormat.PARQUET)
    path = table.location_provider().new_data_location(f"compact-{uuid4()}.{model.file_extension()}", key)
    io = HashingFileIO(table.io)
    output = io.new_output(path)
    writer: Any = untyped(model).create_writer(output, table.schema(), table.properties)
    pieces = _in_order(table, files)
    with naming_damage(table.io, files), writer:
        for rows in _in_row_groups(map(keep, pieces) if keep else pieces):
            writer.write(rows)
    merged = DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=key.partition,
        file_size_in_bytes=len(output),
        sort_order_id=None,
        spec_id=table.metadata.default_spec_id,
        equality_ids=None,
        key_metadata=None,
        **writer.result().to_serialized_dict(),
    )
    return io.written(merged)


def first_start(file: DataFile) -> int:
    """Return the lowest start_ts of a file in epoch µs, from its bounds; a file without bounds counts as the first."""
    bound = (file.lower_bounds or {}).get(START_FIELD)
    return _BEFORE_ALL if bound is None else int(from_bytes(TimestamptzType(), bound))


def _in_order(table: Table, files: Iterable[DataFile]) -> Iterator[Any]:
    """Yield the rows of sorted files in one order, as Arrow tables of any size."""
    unopened = sorted(files, key=first_start)
    slice_rows = _SLICE if overlapping(unopened) <= FEW_OVERLAPPING else _SMALL_SLICE
    readers: list[_Reader] = []
    while unopened or readers:
        # All rows before the horizon are in memory: every file is read up to it, or begins at or after it.
        horizon = min((reader.last for reader in readers if reader.more), default=None)
        if unopened and (horizon is None or first_start(unopened[0]) <= horizon):
            horizon = first_start(unopened[0])
        ready = [rows for reader in readers if (rows := reader.take(horizon)).num_rows]
        if ready:
            yield pa.concat_tables(ready).sort_by(_KEY)
        readers = [reader for reader in readers if reader.more or reader.rows.num_rows]
        if unopened and first_start(unopened[0]) == horizon:
            readers.append(_Reader(table, unopened.pop(0), slice_rows))
        for reader in readers:
            if reader.more and reader.last == horizon:
                reader.read()


class _Reader:
    """A file, read some rows at a time.

    `last`: the start_ts in µs up to which it was read; `rows`: the rows that were read and not taken yet.
    """

    def __init__(self, table: Table, file: DataFile, slice_rows: int) -> None:
        self._schema = arrow_schema()
        self._stream = table.io.new_input(file.file_path).open()
        opened = open_parquet(self._stream)
        self._batches = opened.iter_batches(batch_size=slice_rows, use_threads=False)
        self._left = opened.metadata.num_rows
        self.last = _BEFORE_ALL
        self.rows: Any = self._schema.empty_table()
        self.read()

    @property
    def more(self) -> bool:
        """Return whether rows are left to read."""
        return self._left > 0

    def read(self) -> None:
        """Read the next rows."""
        if self.more:
            rows = _with_our_columns(pa.Table.from_batches([next(self._batches)]), self._schema)
            self._left -= rows.num_rows
            self.last = max(self.last, pc.max(rows["start_ts"]).cast(pa.int64()).as_py())
            self.rows = pa.concat_tables([self.rows, rows])
        if not self.more:
            self._stream.close()

    def take(self, horizon: int | None) -> Any:
        """Remove and return the rows that start before the horizon; all rows if it is None."""
        if horizon is None:
            taken, self.rows = self.rows, self.rows.slice(0, 0)
            return taken
        before = pc.less(self.rows["start_ts"].cast(pa.int64()), horizon)
        taken, self.rows = self.rows.filter(before), self.rows.filter(pc.invert(before))
        return taken


def _with_our_columns(rows: Any, schema: Any) -> Any:
    """Return rows with the table's columns: NULL where the file is older than the column."""
    present = set(rows.column_names)
    columns = [
        rows[field.name].cast(field.type) if field.name in present else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _in_row_groups(pieces: Iterable[Any]) -> Iterator[Any]:
    """Yield the rows of the pieces, in their order, as Arrow tables of one row group each."""
    gathered: list[Any] = []
    count = 0
    for piece in pieces:
        gathered.append(piece)
        count += piece.num_rows
        if count >= ROW_GROUP:
            rows = pa.concat_tables(gathered)
            for begin in range(0, count - ROW_GROUP + 1, ROW_GROUP):
                yield rows.slice(begin, ROW_GROUP)
            gathered = [rows.slice(count - count % ROW_GROUP)]
            count %= ROW_GROUP
    if count:
        yield pa.concat_tables(gathered)
