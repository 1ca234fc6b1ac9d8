"""What basedpyright cannot see, in one place: pyarrow has no stubs, pyiceberg's expressions hide their arguments."""

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

pa: Any = pyarrow
pc: Any = pyarrow.compute
arrow_csv: Any = pyarrow.csv
arrow_fs: Any = pyarrow.fs
parquet: Any = pyarrow.parquet
expressions: Any = iceberg_expressions
iceberg_arrow: Any = iceberg_pyarrow


def untyped(value: object) -> Any:
    """Give a value whose methods have parts of their types unknown as Any."""
    return value


def read(table: Table, row_filter: BooleanExpression = ALWAYS_TRUE, columns: tuple[str, ...] = ("*",)) -> Any:
    """Read the rows that match, in `columns`, as an Arrow table; raises what pyiceberg raises."""
    return untyped(table.scan(row_filter=row_filter, selected_fields=columns)).to_arrow()


def read_file(table: Table, task: FileScanTask) -> Any:
    """Read the live rows of one data file whole, as an Arrow table; raises what pyiceberg raises."""
    scan = iceberg_arrow.ArrowScan(
        table_metadata=table.metadata, io=table.io, projected_schema=table.schema(), row_filter=ALWAYS_TRUE
    )
    return scan.to_table([task])
