"""What basedpyright cannot see, in one place: pyarrow has no stubs, pyiceberg's expressions hide their arguments."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow
import pyarrow.compute
import pyarrow.csv
import pyarrow.fs
import pyarrow.parquet
from pyiceberg import expressions as iceberg_expressions
from pyiceberg.expressions import BooleanExpression
from pyiceberg.io import pyarrow as iceberg_pyarrow
from pyiceberg.table import ALWAYS_TRUE, FileScanTask, Table

from tollbook.archive import checksums

pa: Any = pyarrow
pc: Any = pyarrow.compute
arrow_csv: Any = pyarrow.csv
arrow_fs: Any = pyarrow.fs
parquet: Any = pyarrow.parquet
expressions: Any = iceberg_expressions
iceberg_arrow: Any = iceberg_pyarrow


def open_parquet(stream: Any) -> Any:
    """Open a Parquet file by itself, whose pages are verified as they are read; raises what pyarrow raises."""
    return parquet.ParquetFile(stream, **checksums.VERIFY)


def untyped(value: object) -> Any:
    """Return a value as Any, because the types of its methods are partly unknown."""
    return value


def read_table(table: Table, row_filter: BooleanExpression = ALWAYS_TRUE, columns: tuple[str, ...] = ("*",)) -> Any:
    """Read the rows that match, with `columns`, as an Arrow table; raises what pyiceberg raises."""
    return untyped(table.scan(row_filter=row_filter, selected_fields=columns)).to_arrow()


# How many files are in memory at a time: pyiceberg reads all the files it is given at once, on its threads.
_FILES_AT_ONCE = 8


def read_batches(
    table: Table, tasks: Sequence[FileScanTask], row_filter: BooleanExpression, columns: tuple[str, ...]
) -> Iterator[Any]:
    """Yield the rows of planned files that match, with `columns`, as Arrow batches; raises what pyiceberg raises."""
    schema = untyped(table.schema()).select(*columns)
    scan = iceberg_arrow.ArrowScan(
        table_metadata=table.metadata, io=table.io, projected_schema=schema, row_filter=row_filter
    )
    for first in range(0, len(tasks), _FILES_AT_ONCE):
        yield from scan.to_record_batches(tasks[first : first + _FILES_AT_ONCE])


def plan_files(table: Table, row_filter: BooleanExpression) -> list[FileScanTask]:
    """List the files that may hold rows that match; raises what pyiceberg raises."""
    return list(table.scan(row_filter=row_filter).plan_files())


def read_file(table: Table, task: FileScanTask) -> Any:
    """Read the live rows of one data file whole, as an Arrow table; raises what pyiceberg raises."""
    scan = iceberg_arrow.ArrowScan(
        table_metadata=table.metadata, io=table.io, projected_schema=table.schema(), row_filter=ALWAYS_TRUE
    )
    return scan.to_table([task])
