"""Write rows as data files of the archive: one per account and month, sorted by the calls' keys.

pyiceberg's own `append` filters the whole batch once for every partition, ignores sort orders and needs
pyiceberg-core for months. One sort and a slice per partition take about half of its time.
"""

from itertools import accumulate
from typing import Any
from uuid import uuid4

from pyiceberg.partitioning import PartitionFieldValue, PartitionKey
from pyiceberg.table import Table, WriteTask

from maintenance.archive.hashed_files import HashingFileIO, WrittenFile
from tollbook.archive._pyarrow import iceberg_arrow, pa, pc


def write_files(table: Table, rows: Any) -> list[WrittenFile]:
    """Write an Arrow table with the archive's columns; the files are part of no table until they are committed."""
    if rows.num_rows == 0:
        return []
    account, start = rows["account_id"], rows["start_ts"]
    month = pc.add(pc.multiply(pc.subtract(pc.year(start), 1970), 12), pc.subtract(pc.month(start), 1))
    keyed = pa.table({
        "account": account.combine_chunks().dictionary_encode().indices,
        "start": start, "call": rows["call_id"], "switch": rows["switch"], "month": month, "name": account,
    })  # fmt: skip
    order = pc.sort_indices(keyed, sort_keys=[(key, "ascending") for key in ("account", "start", "call", "switch")])
    # Without threads, the groups come in the order of their first rows, that is, as slices of the sorted rows.
    groups = keyed.select(["name", "month"]).take(order).group_by(["name", "month"], use_threads=False)
    partitions = groups.aggregate([([], "count_all")]).to_pylist()
    ends = accumulate(partition["count_all"] for partition in partitions)
    ordered, write_uuid = rows.take(order), uuid4()
    tasks = (
        WriteTask(
            write_uuid=write_uuid,
            task_id=number,
            schema=table.schema(),
            # Copied into buffers of its own: with shared ones the writers' threads would wait for each other.
            record_batches=ordered.slice(end - part["count_all"], part["count_all"]).combine_chunks().to_batches(),
            partition_key=partition_key(table, part["name"], part["month"]),
        )
        for number, (part, end) in enumerate(zip(partitions, ends, strict=True))
    )
    io = HashingFileIO(table.io)
    return [io.written(file) for file in iceberg_arrow.write_file(io=io, table_metadata=table.metadata, tasks=tasks)]


def partition_key(table: Table, account: str, month: int) -> PartitionKey:
    """Return the partition of an account, by its name in the archive, and a month, counted from January 1970."""
    values = [
        PartitionFieldValue(field=field, value=value)
        for field, value in zip(table.spec().fields, (account, month), strict=True)
    ]
    return PartitionKey(field_values=values, partition_spec=table.spec(), schema=table.schema())
