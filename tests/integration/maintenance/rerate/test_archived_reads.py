"""How a re-rate reads the archive: a row group at a time, and no row that another engine has deleted."""

from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
from pyiceberg.table import FileScanTask, Table

from maintenance.archive.batch import BatchContent
from maintenance.archive.commit import commit
from maintenance.archive.table import ensure_table
from tests.factories import START_MS
from tollbook.archive._pyarrow import expressions, plan_files
from tollbook.archive.answered import answered_calls
from tollbook.archive.catalog import open_catalog
from tollbook.archive.row_groups import read_row_groups
from tollbook.archive.schema import ARCHIVE_COLUMNS, arrow_schema
from tollbook.config import Settings
from tollbook.errors import SchemaError
from tollbook.store.database import Connection

ROW_GROUP = 20_000
FILES = 3


def test_memory_does_not_grow_with_the_archive(local_settings: Settings, database: Connection) -> None:
    """Three files of three row groups: never more than two row groups are in memory; before, all nine were."""
    calls = FILES * 3 * ROW_GROUP
    with open_catalog(local_settings, writing=True) as catalog:
        for number in range(FILES):
            part = archived_rows(number, 3 * ROW_GROUP)
            commit(ensure_table(catalog, database), uuid4(), BatchContent(rows=part, corrections=()))
        group_bytes = part.nbytes / 3
        del part
        before, highest, ids = pa.total_allocated_bytes(), 0, set[str]()
        for rows in answered_calls(
            ensure_table(catalog, database), accounts=None, since_ms=0, until_ms=2 * START_MS, unrated=False
        ):
            assert len(rows) <= 2_000
            highest = max(highest, pa.total_allocated_bytes() - before)
            ids.update(row["call_id"] for row in rows)
    assert len(ids) == calls
    assert highest < 2 * group_bytes, f"{highest:,} bytes, {highest / group_bytes:.1f} row groups"


def test_rows_that_another_engine_deleted_are_not_priced(local_settings: Settings, database: Connection) -> None:
    """A data file with delete files is refused, whole: its deleted rows would come back with a price."""
    with open_catalog(local_settings, writing=True) as catalog:
        commit(ensure_table(catalog, database), uuid4(), BatchContent(rows=archived_rows(0, 10), corrections=()))
        table = ensure_table(catalog, database)
        (task,) = plan_files(table, expressions.AlwaysTrue())
        assert sum(map(len, read(table, task))) == 10
        with pytest.raises(SchemaError, match="by delete files"):
            read(table, FileScanTask(task.file, delete_files={task.file}))


def read(table: Table, task: FileScanTask) -> list[Any]:
    return list(read_row_groups(table, task, expressions.EqualTo("answered", 1), ARCHIVE_COLUMNS, slice_rows=100))


def archived_rows(month: int, count: int) -> Any:
    """Answered calls of one account and month, in the archive's columns, a second apart."""
    starts = [(START_MS + month * 31 * 86_400_000 + number * 1000) * 1000 for number in range(count)]
    columns: dict[str, list[object]] = {
        "call_id": [f"c{month}-{number:026}" for number in range(count)],
        "account_id": ["acme"] * count, "direction": ["outbound"] * count,
        "from_num": [f"+4930{number:08}" for number in range(count)],
        "to_num": [f"+4989{number:08}" for number in range(count)],
        "start_ts": [*starts], "answer_ts": [*starts], "end_ts": [*starts],
        "duration_sec": [60] * count, "billsec": [60] * count, "answered": [1] * count,
        "disposition": ["answered"] * count, "hangup_cause": ["NORMAL_CLEARING"] * count,
        "queue_id": [None] * count, "agent_id": [None] * count, "cost_micros": [1000] * count, "parts": ["[]"] * count,
        "revision": [1] * count, "switch": ["fs1"] * count, "estimated": [False] * count, "currency": ["EUR"] * count,
    }  # fmt: skip
    return pa.table(
        {field.name: pa.array(columns.get(field.name, [None] * count), field.type) for field in arrow_schema()}
    )
