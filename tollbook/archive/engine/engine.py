"""The engine that the settings name, and how many questions it answers at once."""

import threading
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from typing import Final, Protocol

from pyiceberg.table import Table

from tollbook.archive.engine.question import Question
from tollbook.config import Settings
from tollbook.errors import EngineBusy
from tollbook.model.call_key import CallKey
from tollbook.model.call_sums import CallSums, GroupKey

# Less than a client waits. Of those that wait there are as many as are answered at once, for each holds a thread.
_WAIT_TIMEOUT_S: Final = 5.0


class _Engine(Protocol):
    """What answers a question, in this process or elsewhere."""

    def sum_calls(self, table: Table, question: Question, excluded: Collection[CallKey]) -> dict[GroupKey, CallSums]:
        """Add up the calls of each group."""
        ...

    def close(self) -> None:
        """Free what the engine holds."""
        ...


class Engine:
    """DuckDB in this process, or the server that TOLLBOOK_ENGINE names; for all threads of a process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._places = threading.BoundedSemaphore(2 * settings.engine_questions)
        self._turns = threading.BoundedSemaphore(settings.engine_questions)
        self._lock = threading.Lock()
        self._engine: _Engine | None = None

    def sum_calls(
        self, load: Callable[[], Table | None], question: Question, excluded: Collection[CallKey]
    ) -> dict[GroupKey, CallSums]:
        """Add up the archived calls of a question, except those with a key in `excluded`, by group.

        `load` loads the archive's table, if there is one; call this after the snapshot of PostgreSQL from which
        `excluded` comes. A group without calls is left out; without groups the only key is (). Every matching call is
        in the answer: raises ArchiveDamaged and ArchiveError when one cannot be read, QuestionTooLarge when the answer
        takes too much time, memory or groups, EngineBusy and EngineUnavailable.
        """
        with self.turn():
            table = load()
            return {} if table is None else self._opened().sum_calls(table, question, excluded)

    def close(self) -> None:
        """Free what the engine holds."""
        with self._lock:
            if self._engine is not None:
                self._engine.close()
                self._engine = None

    def _opened(self) -> _Engine:
        with self._lock:
            if self._engine is None:
                self._engine = _open(self._settings)
            return self._engine

    @contextmanager
    def turn(self) -> Generator[None]:
        """Take a turn at adding up archived calls, in whatever way; raises EngineBusy."""
        busy = EngineBusy(
            f"{self._settings.engine_questions} questions about archived calls are being answered"
            " (TOLLBOOK_ENGINE_QUESTIONS), and none ended in time"
        )
        if not self._places.acquire(blocking=False):
            raise busy
        with _released(self._places):
            if not self._turns.acquire(timeout=_WAIT_TIMEOUT_S):
                raise busy
            with _released(self._turns):
                yield


@contextmanager
def _released(taken: threading.Semaphore) -> Generator[None]:
    try:
        yield
    finally:
        taken.release()


def _open(settings: Settings) -> _Engine:
    # Imported when first asked: DuckDB takes 0.25 s and 25 MB of a process that may never be asked, and the client of
    # Spark Connect is an extra.
    if settings.engine is not None:
        from tollbook.archive.engine.spark_connect import SparkConnectEngine

        return SparkConnectEngine(
            url=settings.engine.get_secret_value(),
            table_name=settings.engine_table,
            limit_s=settings.engine_timeout,
        )
    from tollbook.archive.engine.embedded import EmbeddedEngine

    return EmbeddedEngine(
        threads=settings.engine_threads, memory_bytes=settings.engine_memory, limit_s=settings.engine_timeout
    )
