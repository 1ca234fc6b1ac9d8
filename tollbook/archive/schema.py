"""The one table of the archive: its columns, its partitions, its properties.

The 16 public columns come first, in their order; times are timestamptz. Field ids are part of the format: a column
is added at the end of `ARCHIVE_COLUMNS`, nullable, and none is ever taken out or moved. `archive run` adds it to a
table that lacks it.
"""

from typing import Any, Final

from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.sorting import SortField, SortOrder
from pyiceberg.transforms import IdentityTransform, MonthTransform
from pyiceberg.types import BooleanType, IntegerType, LongType, NestedField, PrimitiveType, StringType, TimestamptzType

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
}
_REQUIRED = frozenset(
    ("call_id", "account_id", "direction", "from_num", "to_num", "start_ts", "answered", "revision", "switch")
)
# In the order in which they came to the table: the position is the field id. A new column goes to the end, even one of
# the public record. After the first public columns, for us: what a re-rate needs, and where the row comes from.
ARCHIVE_COLUMNS: Final = (
    "call_id", "account_id", "direction", "from_num", "to_num", "start_ts", "answer_ts", "end_ts", "duration_sec",
    "billsec", "answered", "disposition", "hangup_cause", "queue_id", "agent_id", "cost_micros",
    "parts", "revision", "switch", "estimated", "currency",
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

# Told to engines that look at it. pyiceberg 0.12 does not, so the archiver sorts before it writes.
SORTED: Final = SortOrder(
    *(SortField(source_id=SCHEMA.find_field(name).field_id, transform=IdentityTransform()) for name in CallKey._fields)
)

PROPERTIES: Final = {
    # pyiceberg repeats a stale append by itself, and would double a batch that another archiver landed.
    "commit.retry.num-retries": "0",
    # A page of one hour reads a few small row groups instead of the whole month.
    "write.parquet.row-group-limit": "20000",
    # Many small commits a day: without merging, every read opens a manifest for each of them.
    "commit.manifest-merge.enabled": "true",
    # One metadata file a commit: the last hundred are kept for readers that hold one.
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "100",
    # Bounds where reads look for them, counts elsewhere: manifests stay small with many accounts.
    "write.metadata.metrics.default": "counts",
    "write.metadata.metrics.column.account_id": "truncate(16)",
    "write.metadata.metrics.column.start_ts": "full",
    "write.metadata.metrics.column.end_ts": "full",
    # No account in a path: an id of more than 255 bytes cannot be a folder, and `a/b`, `50%` or `ü` are escaped
    # there in ways on which engines differ. The partition is in the metadata, where Iceberg looks for it.
    "write.object-storage.enabled": "true",
    "write.object-storage.partitioned-paths": "false",
}

# A name for "no account" that no account can have, because archived ids that begin with "_" get one more.
NO_ACCOUNT: Final = "_none"
_ESCAPE = "_"


def archived_account(account_id: str | None) -> str:
    """Give the name under which an account's calls are archived."""
    if account_id is None:
        return NO_ACCOUNT
    return f"{_ESCAPE}{account_id}" if account_id.startswith(_ESCAPE) else account_id


def account_of(archived: str) -> str | None:
    """Give back the account whose calls are archived under this name."""
    if archived == NO_ACCOUNT:
        return None
    return archived.removeprefix(_ESCAPE)


def arrow_schema() -> Any:
    """Give the table's columns as a pyarrow schema."""
    return untyped(SCHEMA).as_arrow()
