"""The one table of the archive: its columns, its partitions, its properties.

The 16 public columns come first, in their order; times are timestamptz. Field ids are part of the format: a new column
is added at the end of `ARCHIVE_COLUMNS`, nullable, and no column is ever removed or moved. `archive run` adds it to a
table that lacks it.
"""

from typing import Any, Final

from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.sorting import SortField, SortOrder
from pyiceberg.transforms import IdentityTransform, MonthTransform
from pyiceberg.types import (
    BooleanType,
    DoubleType,
    IntegerType,
    LongType,
    NestedField,
    PrimitiveType,
    StringType,
    TimestamptzType,
)

from tollbook.archive._pyarrow import untyped
from tollbook.model.call_key import CallKey
from tollbook.model.record import COLUMNS

NAMESPACE: Final = "tollbook"
TABLE: Final = (NAMESPACE, "calls")

_TYPES: dict[str, PrimitiveType] = {
    "start_ts": TimestamptzType(),
    "answer_ts": TimestamptzType(),
    "end_ts": TimestamptzType(),
    "duration_sec": IntegerType(),
    "billsec": IntegerType(),
    "answered": IntegerType(),
    "cost_micros": LongType(),
    "revision": IntegerType(),
    "estimated": BooleanType(),
    "pdd_ms": LongType(),
    "ring_ms": LongType(),
    "wait_ms": LongType(),
    "talk_ms": LongType(),
    "hold_ms": LongType(),
    "rx_mos": DoubleType(),
    "sip_status": IntegerType(),
    "voicemail": BooleanType(),
    "trunk_root": BooleanType(),
}
_REQUIRED = frozenset(
    ("call_id", "account_id", "direction", "from_num", "to_num", "start_ts", "answered", "revision", "switch")
)
# In the order in which they were added to the table: the place in this list is the field id. A new column goes to the
# end, even one of the public record. After the public columns: what a re-rate needs, and where the row comes from; the
# call's details, of which `recordings` and `vars` are JSON text as `parts` is.
ARCHIVE_COLUMNS: Final = (
    "call_id", "account_id", "direction", "from_num", "to_num", "start_ts", "answer_ts", "end_ts", "duration_sec",
    "billsec", "answered", "disposition", "hangup_cause", "queue_id", "agent_id", "cost_micros",
    "parts", "revision", "switch", "estimated", "currency",
    "hung_up_by", "pdd_ms", "ring_ms", "wait_ms", "hold_ms", "rx_mos", "codec", "sip_call_id", "source_ip", "gateway",
    "sip_status", "destination", "recordings", "voicemail", "vars", "trunk_root", "talk_ms", "imported",
)  # fmt: skip
TIMES: Final = tuple(name for name in COLUMNS if name.endswith("_ts"))

SCHEMA: Final = Schema(
    *(
        NestedField(field_id, name, _TYPES.get(name, StringType()), required=name in _REQUIRED)
        for field_id, name in enumerate(ARCHIVE_COLUMNS, start=1)
    ),
    identifier_field_ids=[ARCHIVE_COLUMNS.index(name) + 1 for name in CallKey._fields],
)

_ACCOUNT_FIELD = SCHEMA.find_field("account_id").field_id
START_FIELD: Final = SCHEMA.find_field("start_ts").field_id

PARTITIONS: Final = PartitionSpec(
    PartitionField(_ACCOUNT_FIELD, 1000, IdentityTransform(), "account_id"),
    PartitionField(START_FIELD, 1001, MonthTransform(), "start_ts_month"),
)

# For engines that respect it. pyiceberg 0.12 does not, so `archive run` sorts before it writes.
SORTED: Final = SortOrder(
    *(SortField(source_id=SCHEMA.find_field(name).field_id, transform=IdentityTransform()) for name in CallKey._fields)
)

PROPERTIES: Final = {
    # A retry by pyiceberg would append to newer data, and so double a batch that another `archive run` committed.
    "commit.retry.num-retries": "0",
    # So that a page of one hour reads a few small row groups instead of the whole month.
    "write.parquet.row-group-limit": "20000",
    # There are many small commits a day: without merging, every reader opens a manifest for each.
    "commit.manifest-merge.enabled": "true",
    # Each commit makes a metadata file: the last hundred are kept for readers that have one open.
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "100",
    # Bounds where readers use them, counts elsewhere: this keeps manifests small with many accounts.
    "write.metadata.metrics.default": "counts",
    "write.metadata.metrics.column.account_id": "truncate(16)",
    "write.metadata.metrics.column.start_ts": "full",
    "write.metadata.metrics.column.end_ts": "full",
    # No account in a path: an id of more than 255 bytes cannot name a folder, and engines differ in how they escape
    # `a/b`, `50%` or `ü` there. The partition is in the metadata, where Iceberg looks for it.
    "write.object-storage.enabled": "true",
    "write.object-storage.partitioned-paths": "false",
}

# A name for "no account" that no account can have, because an id that begins with "_" is archived with one more.
NO_ACCOUNT: Final = "_none"
_ESCAPE = "_"


def archived_account(account_id: str | None) -> str:
    """Return the name under which an account's calls are archived; None stands for calls without an account."""
    if account_id is None:
        return NO_ACCOUNT
    return f"{_ESCAPE}{account_id}" if account_id.startswith(_ESCAPE) else account_id


def account_of(archived: str) -> str | None:
    """Return the account whose calls are archived under this name: the inverse of `archived_account`."""
    if archived == NO_ACCOUNT:
        return None
    return archived.removeprefix(_ESCAPE)


def arrow_schema() -> Any:
    """Return the table's columns as a pyarrow schema."""
    return untyped(SCHEMA).as_arrow()
