"""An engine answers whole or not at all: its limits, damage, and what it cannot reach."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import SecretStr

from maintenance.archive.run import archive_calls
from tests.archiving import archive_as_before
from tests.databases import store
from tests.factories import FOR_EVER_MS, call
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.engine import embedded
from tollbook.archive.engine import engine as module
from tollbook.archive.engine.embedded import EmbeddedEngine
from tollbook.archive.engine.engine import Engine
from tollbook.archive.engine.question import MAX_GROUPS, Question
from tollbook.archive.engine.scan import schema_of
from tollbook.archive.engine.sql import SumsSql
from tollbook.archive.reader import Archive
from tollbook.config import Settings
from tollbook.errors import ArchiveDamaged, EngineBusy, QuestionTooLarge
from tollbook.model.accounts import EveryAccount
from tollbook.model.call_sums import CallSums
from tollbook.model.selection import Selection
from tollbook.store.database import Connection

EVERYTHING = Selection(accounts=EveryAccount(), since=0, until=FOR_EVER_MS)
TOTAL = Question(selection=EVERYTHING)
BY_NUMBER = Question(selection=EVERYTHING, groups=("prefix",), prefix_digits=15)
MB = 1024**2
ROWS = 20_000


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings with this test's database and a data directory of its own."""
    return Settings(database_url=SecretStr(database_url), data_dir=tmp_path)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Return a function that has a question answered over batches instead of an archive."""
    engines: list[EmbeddedEngine] = []

    def answer(batches: Iterator[Any], question: Question = TOTAL, engine: EmbeddedEngine | None = None) -> Any:
        monkeypatch.setattr(embedded, "read_calls", lambda *_: batches)
        engine = engine or limited()
        engines.append(engine)
        return engine.sum_calls(None, question, ())  # pyright: ignore[reportArgumentType]

    yield answer
    for engine in engines:
        engine.close()


def limited(limit_s: float = 60, memory_bytes: int = 256 * MB) -> EmbeddedEngine:
    return EmbeddedEngine(threads=2, memory_bytes=memory_bytes, limit_s=limit_s)


def batches(count: int, question: Question = TOTAL, *, numbers: int = 1, pause_s: float = 0) -> Iterator[Any]:
    """Yield batches of ROWS calls, each to one of so many numbers."""
    schema = schema_of(question)
    for batch in range(count):
        time.sleep(pause_s)
        columns = {name: pa.nulls(ROWS, schema.field(name).type) for name in schema.names} | {
            "answered": pa.array([1] * ROWS, pa.int32()),
            "to_num": pa.array([f"{(batch * ROWS + row) % numbers:015d}" for row in range(ROWS)]),
        }
        yield pa.record_batch([columns[name].cast(schema.field(name).type) for name in schema.names], schema=schema)


def test_batches_that_come_too_slowly_end_the_question(answer: Callable[..., Any]) -> None:
    """A storage that is slow: the time limit counts, though DuckDB itself has nothing to interrupt."""
    began = time.monotonic()
    with pytest.raises(QuestionTooLarge, match=r"takes longer than 0\.3 seconds.*ask for less time"):
        answer(batches(1000, pause_s=0.1), engine=limited(limit_s=0.3))
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("limit_s", [0, 0.2])
def test_a_query_that_computes_too_long_is_interrupted(
    answer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, limit_s: float
) -> None:
    """Also when the time is over before it begins; the next question of the same DuckDB is answered."""
    engine = limited(limit_s=limit_s)
    with monkeypatch.context() as change:
        # Much to compute of little: it must not end by the limit of memory first.
        endless = "SELECT count(*) FROM range(1000000000000) AS r(a), (SELECT count(*) FROM calls) WHERE hash(a) = 1"
        change.setattr(SumsSql, "sql", lambda *_: endless)
        with pytest.raises(QuestionTooLarge, match="takes longer"):
            answer(batches(1), engine=engine)
    engine._limit_s = 60  # pyright: ignore[reportPrivateUsage]
    assert answer(batches(3), engine=engine) == {(): CallSums(calls=3 * ROWS, answered=3 * ROWS, unrated=3 * ROWS)}


def test_a_question_that_needs_too_much_memory_is_refused(answer: Callable[..., Any]) -> None:
    """DuckDB spills nothing to disk; the next question of the same DuckDB is answered."""
    engine = limited(memory_bytes=64 * MB)
    with pytest.raises(QuestionTooLarge, match=r"TOLLBOOK_ENGINE_MEMORY.*fewer prefix_digits"):
        answer(batches(100, BY_NUMBER, numbers=10**9), BY_NUMBER, engine)
    assert answer(batches(2), engine=engine)[()].calls == 2 * ROWS


def test_more_groups_than_fit_an_answer_are_refused(answer: Callable[..., Any]) -> None:
    assert len(answer(batches(3, BY_NUMBER, numbers=MAX_GROUPS), BY_NUMBER)) == MAX_GROUPS
    with pytest.raises(QuestionTooLarge, match="more than 50,000 groups"):
        answer(batches(3, BY_NUMBER, numbers=MAX_GROUPS + 1), BY_NUMBER)


def test_an_error_while_reading_is_raised_as_it_is(answer: Callable[..., Any]) -> None:
    """DuckDB would pass on its text alone, and the API would not know it as damage."""

    def damaged() -> Iterator[Any]:
        yield from batches(2)
        raise ArchiveDamaged("a file is damaged", "file:///x")

    with pytest.raises(ArchiveDamaged, match=r"^a file is damaged$") as raised:
        answer(damaged())
    assert raised.value.location == "file:///x"


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        ("SELECT * FROM '/etc/passwd'", "Table with name /etc/passwd does not exist"),
        ("SELECT * FROM read_text('/etc/passwd')", "file system operations are disabled"),
        ("SELECT * FROM read_csv('https://127.0.0.1:1/x')", "file system operations are disabled"),
        ("COPY (SELECT 1) TO '{folder}/copied'", "file system operations are disabled"),
        ("EXPORT DATABASE '{folder}/exported'", "file system operations are disabled"),
        ("ATTACH '{folder}/attached.db'", "file system operations are disabled"),
        ("INSTALL httpfs", "file system operations are disabled"),
        ("LOAD httpfs", "Loading external extensions is disabled"),
        ("SET enable_external_access = true", "the configuration has been locked"),
        ("SET memory_limit = '8GB'", "the configuration has been locked"),
        ("SET temp_directory = '{folder}'", "the configuration has been locked"),
        ("SELECT * FROM here", "Table with name here does not exist"),
        ("SELECT getenv('HOME')", "Scalar Function with name getenv does not exist"),
    ],
)
def test_duckdb_reaches_nothing_but_what_it_is_given(tmp_path: Path, statement: str, refusal: str) -> None:
    """Neither files nor the network, extensions, its own settings, or variables of the program around it."""
    here = pa.table({"a": [1]})
    database = embedded._open(2, 256 * MB)  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(embedded.duckdb.Error, match=refusal):
        database.cursor().execute(statement.format(folder=tmp_path)).fetchall()
    assert here.num_rows == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-100])])
@pytest.mark.parametrize("which", ["*.parquet", "*-m0.avro", "snap-*.avro"])
def test_a_damaged_or_missing_file_is_no_partial_sum(
    settings: Settings, database: Connection, which: str, harm: Callable[[Path], object]
) -> None:
    """One of two data files, a manifest or the manifest list: the error that the API has for it."""
    database.autocommit = True
    for name in ("a", "b"):
        store(database, call(name))
        archive_calls(settings, now=True)
    archive = Archive(settings, lambda: True)
    assert archive.sum_calls(TOTAL, frozenset())[()].calls == 2
    newest = max((settings.data_dir / "archive").rglob(which), key=lambda path: path.stat().st_mtime_ns)
    harm(newest)
    with pytest.raises(ArchiveDamaged, match=newest.name):
        archive.sum_calls(TOTAL, frozenset())
    archive.close()


def test_files_from_before_a_column_have_null_in_it(settings: Settings, database: Connection) -> None:
    """A file without currencies and details, beside one that has them, in a table that lacks the columns."""
    database.autocommit = True
    store(database, call("a"))
    archive_as_before(settings, database, "currency")
    archive = Archive(settings, lambda: True)
    older = CallSums(calls=1, answered=1, billsec=60, cost=((None, 21_000),))
    assert archive.sum_calls(TOTAL, frozenset()) == {(): older}
    store(database, call("b", cost_micros=5))
    archive_calls(settings, now=True)
    newer = CallSums(calls=1, answered=1, billsec=60, cost=(("EUR", 5),))
    assert archive.sum_calls(TOTAL, frozenset()) == {(): older.plus(newer)}
    archive.close()


def test_nothing_archived_adds_up_to_nothing(settings: Settings) -> None:
    archive = Archive(settings, lambda: False)
    assert archive.sum_calls(TOTAL, frozenset()) == {}
    archive.close()


def test_so_many_questions_at_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two are answered, two wait, and are refused when their time is over; a fifth is refused at once."""
    monkeypatch.setattr(module, "_WAIT_TIMEOUT_S", 1.0)
    engine = Engine(settings)
    begun, go_on = threading.Semaphore(0), threading.Event()

    def load() -> None:
        begun.release()
        assert go_on.wait(60)

    def ask() -> Any:
        return engine.sum_calls(load, TOTAL, ())

    with ThreadPoolExecutor(4) as pool:
        answered = [pool.submit(ask) for _ in range(2)]
        assert begun.acquire(timeout=60)
        assert begun.acquire(timeout=60)
        waiting = [pool.submit(ask) for _ in range(2)]
        while engine._places._value:  # pyright: ignore[reportPrivateUsage]
            time.sleep(0.01)
        with pytest.raises(EngineBusy, match="TOLLBOOK_ENGINE_QUESTIONS"):
            ask()
        for refused in waiting:
            assert isinstance(refused.exception(60), EngineBusy)
        go_on.set()
        assert [future.result(60) for future in answered] == [{}, {}]
    assert ask() == {}


def test_several_questions_share_one_duckdb(settings: Settings, database: Connection) -> None:
    """Eight threads ask over and over, each with a cursor of its own."""
    database.autocommit = True
    store(database, *(call(f"c{number}", to_num=f"+49{number}") for number in range(500)))
    archive_calls(settings, now=True)
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        engine = limited()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: engine.sum_calls(table, BY_NUMBER, ()), range(24)))
        engine.close()
    assert all(answer == answers[0] for answer in answers)
    assert len(answers[0]) == 500
