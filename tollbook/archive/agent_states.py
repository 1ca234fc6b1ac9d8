"""The archive's table of agents: what each did, span by span, of the UTC days that are closed.

A day is written once, whole, and never changed: so a commit that is made twice, or by a database that was restored, is
found by looking for the day, and needs no announcement of its own. Spans end at midnight, so each day stands alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from pyiceberg.catalog import Catalog
from pyiceberg.conversions import from_bytes
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import IntegerType, NestedField, StringType, TimestamptzType

from tollbook.archive._pyarrow import expressions as ex
from tollbook.archive._pyarrow import pa, pc, plan_files, read_batches, read_file, untyped
from tollbook.archive.catalog import archive_errors, load_archive
from tollbook.archive.rows import epoch_ms
from tollbook.archive.schema import NAMESPACE
from tollbook.model.accounts import Accounts, OneAccount
from tollbook.model.agents.figures import AgentSums, AgentTime
from tollbook.model.agents.spans import AgentSpan, Bucket
from tollbook.times import MS_PER_DAY, US_PER_MS

AGENT_TABLE: Final = (NAMESPACE, "agent_states")

# The place in this list is the field id: a new column goes to the end, nullable.
AGENT_SCHEMA: Final = Schema(
    NestedField(1, "day", IntegerType(), required=True),
    NestedField(2, "account_id", StringType(), required=False),
    NestedField(3, "switch", StringType(), required=True),
    NestedField(4, "agent", StringType(), required=True),
    NestedField(5, "from_ts", TimestamptzType(), required=True),
    NestedField(6, "until_ts", TimestamptzType(), required=True),
    NestedField(7, "status", StringType(), required=False),
    NestedField(8, "state", StringType(), required=False),
    NestedField(9, "bucket", StringType(), required=True),
    NestedField(10, "handled", IntegerType(), required=True),
)
AGENT_PROPERTIES: Final = {
    # As of the table of calls (`schema.py`).
    "commit.retry.num-retries": "0",
    "write.parquet.row-group-limit": "20000",
    "commit.manifest-merge.enabled": "true",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "100",
    "write.metadata.metrics.default": "counts",
    # By which a day's files are found, and known to be there.
    "write.metadata.metrics.column.day": "full",
}

_SUMMED: Final = ("account_id", "switch", "agent", "bucket")
_COLUMNS: Final = (*_SUMMED, "from_ts", "until_ts", "handled")


def load_agent_states(catalog: Catalog) -> Table | None:
    """Load the table; None if there is none. Raises ArchiveError and ArchiveLost."""
    return load_archive(catalog, AGENT_TABLE)


def holds_day(table: Table, day: int) -> bool:
    """Return whether the table, as loaded, has a day."""
    with archive_errors("looking for a day of agents"):
        return bool(plan_files(table, ex.EqualTo("day", day)))


def sums_by_day(table: Table) -> Iterator[tuple[int, list[AgentTime]]]:
    """Yield each day that the table has, as loaded, and what it came to, by agent and account; oldest first.

    Reads every data file whole, those of a day at a time. Raises ArchiveError and ArchiveDamaged.
    """
    with archive_errors("reading what agents did"):
        files = sorted((_day_of(task), task.file.file_path, task) for task in plan_files(table, ex.AlwaysTrue()))
        for day, of_day in groupby(files, key=itemgetter(0)):
            found = dict[tuple[str, str, str | None], AgentSums]()
            for _, _, task in of_day:
                for key, sums in _sums(read_file(table, task), day * MS_PER_DAY, (day + 1) * MS_PER_DAY):
                    found[key] = found.get(key, AgentSums()).plus(sums)
            yield day, _in_order(found)


def _day_of(task: Any) -> int:
    """Return the day of a data file, by the bounds of its column `day`: it has one day."""
    day: int = from_bytes(IntegerType(), task.file.lower_bounds[1])
    return day


def rows_of(day: int, agent: AgentTime, spans: Iterable[AgentSpan]) -> Any:
    """Return an agent's spans of a day as an Arrow table of this schema."""
    some = [*spans]
    size = len(some)
    columns = {
        "day": [day] * size,
        "account_id": [agent.account_id] * size,
        "switch": [agent.switch] * size,
        "agent": [agent.agent] * size,
        "from_ts": [span.from_ms * US_PER_MS for span in some],
        "until_ts": [span.until_ms * US_PER_MS for span in some],
        "status": [span.status for span in some],
        "state": [span.state for span in some],
        "bucket": [span.bucket for span in some],
        "handled": [span.handled for span in some],
    }
    return pa.table(columns, schema=untyped(AGENT_SCHEMA).as_arrow())


def sum_spans(
    table: Table, accounts: Accounts, since_ms: int, until_ms: int, *, agent: str | None = None
) -> list[AgentTime]:
    """Add up what is archived of agents in a time, by agent and account, a few row groups in memory at a time.

    Raises ArchiveError and ArchiveDamaged.
    """
    row_filter = ex.And(
        ex.And(ex.GreaterThanOrEqual("day", since_ms // MS_PER_DAY), ex.LessThanOrEqual("day", until_ms // MS_PER_DAY)),
        ex.And(ex.LessThan("from_ts", until_ms * US_PER_MS), ex.GreaterThan("until_ts", since_ms * US_PER_MS)),
    )
    if isinstance(accounts, OneAccount):
        row_filter = ex.And(row_filter, ex.EqualTo("account_id", accounts.account_id))
    if agent is not None:
        row_filter = ex.And(row_filter, ex.EqualTo("agent", agent))
    found: dict[tuple[str, str, str | None], AgentSums] = {}
    with archive_errors("adding up what agents did"):
        tasks = plan_files(table, row_filter)
        for batch in read_batches(table, tasks, row_filter, _COLUMNS) if tasks else ():
            for key, sums in _sums(pa.table(batch), since_ms, until_ms):
                found[key] = found.get(key, AgentSums()).plus(sums)
    return _in_order(found)


def _in_order(found: Mapping[tuple[str, str, str | None], AgentSums]) -> list[AgentTime]:
    ordered = sorted(found, key=lambda key: (key[0], key[1], key[2] or ""))
    return [AgentTime(*key, found[key]) for key in ordered]


def _sums(rows: Any, since_ms: int, until_ms: int) -> Iterator[tuple[tuple[str, str, str | None], AgentSums]]:
    begins, ends = epoch_ms(rows["from_ts"]), epoch_ms(rows["until_ts"])
    spent = pc.subtract(pc.min_element_wise(ends, until_ms), pc.max_element_wise(begins, since_ms))
    handled = pc.if_else(pc.greater_equal(begins, since_ms), rows["handled"], 0)
    keyed = pa.table({**{name: rows[name] for name in _SUMMED}, "ms": spent, "handled": handled})
    summed = keyed.group_by(list(_SUMMED)).aggregate([("ms", "sum"), ("handled", "sum")])
    for row in summed.to_pylist():
        bucket: Bucket = row["bucket"]
        key = (row["switch"], row["agent"], row["account_id"])
        yield key, AgentSums(ms={bucket: row["ms_sum"]}, handled=row["handled_sum"])
