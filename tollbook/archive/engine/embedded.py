"""DuckDB in this process: the engine that is there by default.

DuckDB gets batches and a statement, and nothing else: no file, no network, no extension, no disk to spill to. What it
may use of memory is bounded. Arrow's batches come on top, a few at a time.
"""

import threading
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final, Self

import duckdb
from pyiceberg.table import Table

from tollbook.archive._pyarrow import pa
from tollbook.archive.catalog import archive_errors
from tollbook.archive.engine.question import MAX_GROUPS, Question, too_large
from tollbook.archive.engine.scan import read_calls, schema_of
from tollbook.archive.engine.sql import answer_of, sums_sql
from tollbook.model.call_key import CallKey
from tollbook.model.call_sums import CallSums, GroupKey

# In this order: without external access DuckDB refuses some of the others, and after the last one all.
_CLOSED: Final = {
    "temp_directory": "''",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "python_enable_replacements": "false",
    "enable_external_access": "false",
    "lock_configuration": "true",
}
_INTERRUPT_AGAIN_S: Final = 0.05


class EmbeddedEngine:
    """One DuckDB for all threads of a process, opened for the first question."""

    def __init__(self, *, threads: int, memory_bytes: int, limit_s: float) -> None:
        """Take the threads of DuckDB, the memory of all its questions together, and the time of each."""
        self._threads = threads
        self._memory_bytes = memory_bytes
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._database: Any = None

    def sum_calls(self, table: Table, question: Question, excluded: Collection[CallKey]) -> dict[GroupKey, CallSums]:
        """Add up the calls of each group; raises as `Engine.sum_calls`."""
        asked = sums_sql(question, start_us="epoch_us(start_ts)").sql("calls")
        with (
            archive_errors("adding up archived calls"),
            self._cursor() as cursor,
            _TimeLimit(cursor, self._limit_s) as limit,
        ):
            reading = _Reading(read_calls(table, question, excluded), limit)
            with reading.whole():  # the time may be over before the query begins
                cursor.register("calls", pa.RecordBatchReader.from_batches(schema_of(question), reading.batches()))
                rows = cursor.execute(asked).fetchmany(MAX_GROUPS + 1)
        if len(rows) > MAX_GROUPS:
            raise too_large(f"has more than {MAX_GROUPS:,} groups")
        return answer_of(question, rows)

    def close(self) -> None:
        """Free DuckDB's memory."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    @contextmanager
    def _cursor(self) -> Generator[Any]:
        with self._lock:
            if self._database is None:
                self._database = _open(self._threads, self._memory_bytes)
            cursor = self._database.cursor()
        try:
            yield cursor
        finally:
            cursor.close()


def _open(threads: int, memory_bytes: int) -> Any:
    database: Any = duckdb.connect(":memory:", config={"threads": threads, "memory_limit": f"{memory_bytes}B"})
    for name, value in _CLOSED.items():
        database.execute(f"SET {name} = {value}")
    return database


class _TimeLimit:
    """Interrupts a cursor's query when its time is over, and again until it has ended.

    Again, because an interrupt that comes before the query has begun is lost.
    """

    def __init__(self, cursor: Any, limit_s: float) -> None:
        self._cursor = cursor
        self._limit_s = limit_s
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._interrupt, name="time limit of a question", daemon=True)
        self._expired = False

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watch.join()

    def check(self) -> None:
        """Raise QuestionTooLarge when the time is over."""
        if self._expired:
            raise too_large(f"takes longer than {self._limit_s:g} seconds (TOLLBOOK_ENGINE_TIMEOUT)")

    def _interrupt(self) -> None:
        if not self._ended.wait(self._limit_s):
            self._expired = True
            while not self._ended.wait(_INTERRUPT_AGAIN_S):
                self._cursor.interrupt()


class _Reading:
    """The batches of a question while DuckDB reads them, and why it did not read them all.

    DuckDB turns an error of theirs into one of its own that has only the text, so the error is kept here.
    """

    def __init__(self, batches: Iterator[Any], limit: _TimeLimit) -> None:
        self._batches = batches
        self._limit = limit
        self._error: Exception | None = None
        self._at_end = False

    def batches(self) -> Iterator[Any]:
        """Yield the batches for as long as there is time."""
        try:
            for batch in self._batches:
                self._limit.check()
                yield batch
            self._at_end = True
        except Exception as error:
            self._error = error
            raise

    @contextmanager
    def whole(self) -> Generator[None]:
        """Raise what ended the reading, or the question, before all batches were added up."""
        try:
            yield
        except Exception as error:
            if self._error is not None:
                raise self._error from error
            self._limit.check()
            if isinstance(error, duckdb.OutOfMemoryException):
                raise too_large("needs more memory than TOLLBOOK_ENGINE_MEMORY allows") from error
            raise
        assert self._at_end, "DuckDB left batches unread"
