"""A server that speaks Spark Connect (Sail, or Apache Spark), which TOLLBOOK_ENGINE names.

The server reads the archive itself, so it must reach the warehouse. It is told which snapshot to read, because one that
looks for the newest metadata by the names of files may find a commit that the catalog refused. What a request asks for
is sent as literals, never as the text of a statement. Such a server verifies no page checksums.
"""

import atexit
from collections.abc import Collection, Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import reduce
from time import monotonic
from typing import Any, Final

import grpc
from pyiceberg.table import Table
from pyspark.errors import PySparkException
from pyspark.sql.connect import functions
from pyspark.sql.connect.client.core import DefaultChannelBuilder
from pyspark.sql.connect.session import SparkSession

from tollbook.archive._pyarrow import pa, untyped
from tollbook.archive.engine.question import MAX_GROUPS, Question, too_large
from tollbook.archive.engine.scan import look_for_damage
from tollbook.archive.engine.sql import answer_of, columns_of, sums_sql
from tollbook.archive.row_filter import text_of_variable
from tollbook.archive.schema import archived_account, arrow_schema
from tollbook.errors import EngineUnavailable
from tollbook.model.accounts import OneAccount
from tollbook.model.call_key import CallKey
from tollbook.model.call_sums import CallSums, GroupKey
from tollbook.model.filters import AtLeast, Condition, Equals, HasNumber, HasVariable, IsNotTrue, IsNull, conditions_of
from tollbook.model.selection import Selection
from tollbook.times import US_PER_MS

# How long a server may take to say which version it is, and to forget a question.
_ANSWER_S: Final = 5.0
_FORGET_S: Final = 2.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# Arrow's types of the archive's columns.
_SQL_TYPES: Final = {
    "int32": "int",
    "int64": "bigint",
    "double": "double",
    "bool": "boolean",
    "large_string": "string",
    "timestamp[us, tz=UTC]": "timestamp",
}
_F: Any = functions
_FAILURES: Final = (PySparkException, grpc.RpcError)


class SparkConnectEngine:
    """A server that is asked in a session of its own for each question: it may restart, or forget sessions."""

    def __init__(self, *, url: str, table_name: str | None, limit_s: float) -> None:
        """Take the server's URL, the archive's name in its catalogs if it finds it so, and the time of a question."""
        self._url = url
        self._table_name = table_name
        self._limit_s = limit_s

    def sum_calls(self, table: Table, question: Question, excluded: Collection[CallKey]) -> dict[GroupKey, CallSums]:
        """Add up the calls of each group; raises as `Engine.sum_calls`."""
        snapshot = table.current_snapshot()
        if snapshot is None:
            return {}
        deadline = _Deadline()
        with _session(self._url, deadline) as session:
            deadline.begin(self._limit_s)
            try:
                calls = self._calls(session, table, snapshot.snapshot_id)
                calls = _without(_selected(calls, question), session, excluded)
                asked = sums_sql(question, start_us="unix_micros(start_ts)")
                grouped = calls.selectExpr(*asked.values).groupBy(*asked.groups)
                answer = grouped.agg(*map(_F.expr, asked.measures)).limit(MAX_GROUPS + 1).toArrow()
            except _FAILURES as error:
                if deadline.is_over:
                    raise too_large(f"takes longer than {self._limit_s:g} seconds (TOLLBOOK_ENGINE_TIMEOUT)") from error
                look_for_damage(table, question, error)
                raise _failed(error) from error
        if answer.num_rows > MAX_GROUPS:
            raise too_large(f"has more than {MAX_GROUPS:,} groups")
        return answer_of(question, list(zip(*(column.to_pylist() for column in answer.columns), strict=True)))

    def close(self) -> None:
        """Do nothing: no session outlives its question."""

    def _calls(self, session: Any, table: Table, snapshot_id: int) -> Any:
        # Sail's word for it, and that of Apache Spark's Iceberg.
        reader = session.read.option("snapshotId", str(snapshot_id)).option("snapshot-id", str(snapshot_id))
        if self._table_name is not None:
            return reader.table(self._table_name)
        return reader.format("iceberg").load(table.location())


@contextmanager
def _session(url: str, deadline: "_Deadline") -> Generator[Any]:
    """Yield a session of a server that answers; raises EngineUnavailable."""
    channel = DefaultChannelBuilder(url)
    channel.add_interceptor(untyped(deadline))
    session: Any = SparkSession(channel)
    client = session.client
    # A question that fails is asked again by whoever asked it; the client's own patience would be minutes.
    client.set_retry_policies([])
    client.disable_reattachable_execute()
    try:
        deadline.begin(_ANSWER_S)
        try:
            session.version  # noqa: B018 - a request
        except _FAILURES as error:
            raise _failed(error) from error
        yield session
    finally:
        deadline.begin(_FORGET_S)
        with suppress(*_FAILURES):
            client.release_session()
        client.close()
        # Else each client would be kept until the process ends. For this method pyspark-client has an upper bound.
        atexit.unregister(client._on_exit)


class _Deadline(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Ends every call of a session when its time is over: pyspark itself sets no limit."""

    def __init__(self) -> None:
        self._end = monotonic()

    def begin(self, limit_s: float) -> None:
        """Let the calls from now on end after so many seconds, all together."""
        self._end = monotonic() + limit_s

    @property
    def is_over(self) -> bool:
        """Whether the time is over, or as good as over: a call may end a moment before."""
        return monotonic() > self._end - 0.05

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """Add the deadline."""
        return continuation(client_call_details._replace(timeout=max(0.0, self._end - monotonic())), request)

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """Add the deadline."""
        return continuation(client_call_details._replace(timeout=max(0.0, self._end - monotonic())), request)


def _failed(error: Exception) -> EngineUnavailable:
    return EngineUnavailable(f"the server that TOLLBOOK_ENGINE names failed: {' '.join(str(error).split())[:1000]}")


def _selected(calls: Any, question: Question) -> Any:
    """Return the calls of a question, with its columns and those of their keys; in an older table some are NULL."""
    selection, known = question.selection, calls.columns
    absent = [field for field in arrow_schema() if field.name not in known]
    for field in absent:
        calls = calls.withColumn(field.name, _F.lit(None).cast(_SQL_TYPES[str(field.type)]))
    for condition in _conditions(selection):
        calls = calls.filter(condition)
    return calls.select(*dict.fromkeys((*columns_of(question), *CallKey._fields)))


def _conditions(selection: Selection) -> Generator[Any]:
    start = _F.col("start_ts")
    yield start >= _F.lit(_EPOCH + timedelta(milliseconds=selection.since))
    yield start < _F.lit(_EPOCH + timedelta(milliseconds=selection.until))
    if isinstance(selection.accounts, OneAccount):
        yield _F.col("account_id") == _F.lit(archived_account(selection.accounts.account_id))
    yield from map(_condition, conditions_of(selection.accounts, selection.filters))


def _condition(condition: Condition) -> Any:
    match condition:
        case Equals(column, value):
            return _F.col(column) == _F.lit(value)
        case AtLeast(column, value):
            return _F.col(column) >= _F.lit(value)
        case IsNotTrue(column):
            return _F.col(column).isNull() | ~_F.col(column)
        case HasVariable():
            return _F.col("vars").contains(_F.lit(text_of_variable(condition)))
        case IsNull(column, wanted):
            return _F.col(column).isNull() if wanted else _F.col(column).isNotNull()
        case HasNumber(columns, prefix, spellings):
            begin = [_F.col(column).startswith(_F.lit(prefix)) for column in columns]
            spelled = [_F.col(column).isin(*spellings) for column in columns if spellings]
            return reduce(lambda one, other: one | other, begin + spelled)


def _without(calls: Any, session: Any, excluded: Collection[CallKey]) -> Any:
    """Leave out the calls with these keys."""
    if not excluded:
        return calls
    starts, ids, switches = zip(*excluded, strict=True)
    keys = session.createDataFrame(
        pa.table({
            "excluded_us": pa.array([start * US_PER_MS for start in starts], pa.int64()),
            "excluded_id": pa.array(ids, pa.string()),
            "excluded_switch": pa.array(switches, pa.string()),
        })
    )  # fmt: skip
    same = (
        (_F.unix_micros(_F.col("start_ts")) == _F.col("excluded_us"))
        & (_F.col("call_id") == _F.col("excluded_id"))
        & (_F.col("switch") == _F.col("excluded_switch"))
    )
    return calls.join(keys, same, "left_anti")
