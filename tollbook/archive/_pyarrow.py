"""What basedpyright cannot see, in one place: pyarrow has no stubs, pyiceberg's expressions hide their arguments."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import pyarrow
import pyarrow.compute
import pyarrow.csv
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet
from pyiceberg import expressions as iceberg_expressions
from pyiceberg.expressions import BooleanExpression, visitors
from pyiceberg.io import pyarrow as iceberg_pyarrow
from pyiceberg.manifest import ManifestContent
from pyiceberg.table import ALWAYS_TRUE, FileScanTask, ManifestGroupPlanner, Table

from tollbook.archive import checksums, dictionaries
from tollbook.archive.damage import naming_damage, naming_damaged_lists

pa: Any = pyarrow
pc: Any = pyarrow.compute
arrow_csv: Any = pyarrow.csv
arrow_dataset: Any = pyarrow.dataset
arrow_fs: Any = pyarrow.fs
parquet: Any = pyarrow.parquet
expressions: Any = iceberg_expressions
iceberg_arrow: Any = iceberg_pyarrow
dictionaries.leave_out()


def open_parquet(stream: Any, metadata: Any = None) -> Any:
    """Open a Parquet file by itself, whose pages are verified as they are read; raises what pyarrow raises.

    `metadata`: its footer, if that has been read before.
    """
    return parquet.ParquetFile(stream, metadata=metadata, **checksums.VERIFY)


def parquet_fragment(stream: Any) -> Any:
    """Open a Parquet file as a fragment of a dataset, whose pages are verified as they are read."""
    return _parquet_format().make_fragment(stream)


def _parquet_format() -> Any:
    options = arrow_dataset.ParquetFragmentScanOptions(pre_buffer=True, **checksums.VERIFY)
    return arrow_dataset.ParquetFileFormat(default_fragment_scan_options=options)


def bound_filter(table: Table, row_filter: BooleanExpression) -> Any:
    """Return a row filter on a table's columns as pyarrow's expression."""
    return iceberg_arrow.expression_to_pyarrow(visitors.bind(table.schema(), row_filter, case_sensitive=True))


def untyped(value: object) -> Any:
    """Return a value as Any, because the types of its methods are partly unknown."""
    return value


def read_table(table: Table, row_filter: BooleanExpression = ALWAYS_TRUE, columns: tuple[str, ...] = ("*",)) -> Any:
    """Read the rows that match, with `columns`, as an Arrow table; raises what pyiceberg raises."""
    return untyped(table.scan(row_filter=row_filter, selected_fields=columns)).to_arrow()


# How many files are read at a time, and of how many an error is looked for.
_FILES_AT_ONCE = 8
_FILES_A_SCAN = 256


def read_batches(
    table: Table, tasks: Sequence[FileScanTask], row_filter: BooleanExpression, columns: tuple[str, ...]
) -> Iterator[Any]:
    """Yield the rows of planned files that match, with `columns`, as Arrow batches. A column that a file lacks is NULL.

    Raises ArchiveDamaged, and what pyiceberg and pyarrow raise.
    """
    if any(task.delete_files for task in tasks):  # another engine has deleted rows
        yield from _read_by_pyiceberg(table, tasks, row_filter, columns)
        return
    for _, batch in read_tagged(table, tasks, row_filter, columns):
        yield batch


def read_tagged(
    table: Table, tasks: Sequence[FileScanTask], row_filter: BooleanExpression, columns: tuple[str, ...]
) -> Iterator[tuple[FileScanTask, Any]]:
    """Yield the rows as `read_batches`, each batch with the file that it is of: several are read at once, in any order.

    Files with deletes of another engine are not for this. Raises as `read_batches`.
    """
    wanted = bound_filter(table, row_filter)
    schema = iceberg_arrow.schema_to_pyarrow(table.schema(), include_field_ids=False)
    io, file_format = untyped(table.io), _parquet_format()
    for first in range(0, len(tasks), _FILES_A_SCAN):
        some = tasks[first : first + _FILES_A_SCAN]
        with naming_damage(table.io, [task.file for task in some]):
            task_of: dict[str, FileScanTask] = {}
            fragments: list[Any] = []
            for task in some:  # which may be in several buckets
                scheme, netloc, path = io.parse_location(task.file.file_path, io.properties)
                task_of[path] = task
                fragments.append(file_format.make_fragment(path, io.fs_by_scheme(scheme, netloc)))
            dataset = arrow_dataset.FileSystemDataset(fragments, schema, file_format)
            scanner = dataset.scanner(columns=list(columns), filter=wanted, fragment_readahead=_FILES_AT_ONCE)
            for tagged in scanner.scan_batches():
                yield task_of[tagged.fragment.path], tagged.record_batch


def _read_by_pyiceberg(
    table: Table, tasks: Sequence[FileScanTask], row_filter: BooleanExpression, columns: tuple[str, ...]
) -> Iterator[Any]:
    schema = untyped(table.schema()).select(*columns)
    scan = iceberg_arrow.ArrowScan(
        table_metadata=table.metadata, io=table.io, projected_schema=schema, row_filter=row_filter
    )
    for first in range(0, len(tasks), _FILES_AT_ONCE):
        some = tasks[first : first + _FILES_AT_ONCE]
        with naming_damage(table.io, [task.file for task in some]):
            yield from scan.to_record_batches(some)


def plan_files(table: Table, row_filter: BooleanExpression) -> list[FileScanTask]:
    """List the files that may hold rows that match; raises ArchiveDamaged, and what pyiceberg raises.

    As pyiceberg's own scan does, but for what is left of the filter within each file's partition: to work that out
    takes three quarters of a scan's time, and to filter rows by the whole filter gives the same rows.
    """
    snapshot = table.current_snapshot()
    with naming_damaged_lists(table):
        manifests = snapshot.manifests(table.io) if snapshot else []
        if any(manifest.content == ManifestContent.DELETES for manifest in manifests):
            return list(table.scan(row_filter=row_filter).plan_files())
        planner = ManifestGroupPlanner(table_metadata=table.metadata, io=table.io, row_filter=row_filter)
        entries = chain.from_iterable(planner.plan_manifest_entries(manifests))
        return [FileScanTask(entry.data_file, residual=row_filter) for entry in entries]


def read_file(table: Table, task: FileScanTask) -> Any:
    """Read the live rows of a data file whole, as an Arrow table; raises ArchiveDamaged, and what pyiceberg raises."""
    scan = iceberg_arrow.ArrowScan(
        table_metadata=table.metadata, io=table.io, projected_schema=table.schema(), row_filter=ALWAYS_TRUE
    )
    with naming_damage(table.io, [task.file]):
        return scan.to_table([task])
