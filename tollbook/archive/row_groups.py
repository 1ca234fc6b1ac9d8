"""The rows of data files, one row group at a time: for what reads a whole history in memory that does not grow with it.

pyiceberg reads the files that it is given whole, and several at once. A row group has 20,000 rows
(`tollbook.archive.schema.PROPERTIES`).
"""

from collections.abc import Iterator
from typing import Any, Final

from pyiceberg.table import FileScanTask, Table

from tollbook.archive._pyarrow import bound_filter, pa, parquet_fragment
from tollbook.archive.damage import naming_damage
from tollbook.archive.schema import arrow_schema
from tollbook.errors import SchemaError

DELETE_FILES_REFUSED: Final = (
    "another engine has deleted rows from the archive by delete files, which Tollbook does not apply:"
    " have that engine rewrite them into the data files first"
)


def read_row_groups(
    table: Table, task: FileScanTask, row_filter: Any, columns: tuple[str, ...], *, slice_rows: int
) -> Iterator[Any]:
    """Yield a planned file's rows that match, with `columns`, as Arrow batches of at most `slice_rows` rows.

    They come in the file's order, which is that of the calls' keys. A column that the file lacks is NULL. Raises
    SchemaError as `refuse_delete_files`, ArchiveDamaged, and what pyarrow and pyiceberg raise.
    """
    schema = pa.schema([arrow_schema().field(name) for name in columns])
    for batch in read_present_columns(table, task, row_filter, columns, slice_rows=slice_rows):
        yield with_all_columns(batch, schema)


def read_present_columns(
    table: Table, task: FileScanTask, row_filter: Any, columns: tuple[str, ...], *, slice_rows: int
) -> Iterator[Any]:
    """Yield the same, with those of the columns alone that the file has."""
    refuse_delete_files(task)
    wanted = bound_filter(table, row_filter)
    with naming_damage(table.io, [task.file]), table.io.new_input(task.file.file_path).open() as stream:
        fragment = parquet_fragment(stream)
        present = [name for name in columns if name in fragment.physical_schema.names]
        for row_group in fragment.split_by_row_group(wanted):  # those that can match, by their statistics
            # No read-ahead: it would hold 16 slices at a time.
            for batch in row_group.to_batches(
                columns=present, filter=wanted, batch_size=slice_rows, batch_readahead=0, fragment_readahead=0
            ):
                if batch.num_rows:
                    yield batch.cast(pa.schema([arrow_schema().field(name) for name in present]))


def refuse_delete_files(task: FileScanTask) -> None:
    """Raise SchemaError for a data file whose rows another engine has deleted without rewriting it."""
    if task.delete_files:
        raise SchemaError(DELETE_FILES_REFUSED)


def with_all_columns(batch: Any, schema: Any) -> Any:
    """Return a batch with the columns of a schema, of which those that it lacks are NULL."""
    columns = [
        batch[field.name] if field.name in batch.schema.names else pa.nulls(len(batch), field.type) for field in schema
    ]
    return pa.record_batch(columns, names=schema.names)
