"""A bit that flips in a data file: whoever reads the file raises, or returns what was written."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from maintenance.archive.data_files import partition_key
from maintenance.compaction.merge import merge
from maintenance.compaction.run import compact_archive
from tests.archiving import archive_now
from tests.databases import store
from tests.factories import FOR_EVER_MS, START_MS, call
from tollbook.archive._pyarrow import iceberg_arrow, parquet, plan_files, read_file
from tollbook.archive.answered import answered_calls
from tollbook.archive.catalog import archive_errors, load_calls, open_catalog
from tollbook.archive.engine.embedded import EmbeddedEngine
from tollbook.archive.engine.question import Question
from tollbook.archive.lookup import find_calls
from tollbook.archive.pages import read_all
from tollbook.archive.row_filter import started
from tollbook.archive.totals import day_totals
from tollbook.config import Settings
from tollbook.errors import ArchiveDamaged, ArchiveError
from tollbook.model.accounts import EveryAccount
from tollbook.model.selection import Selection
from tollbook.store.database import Connection
from tollbook.times import MS_PER_DAY

CALLS = 200
EVERYTHING = started(0, FOR_EVER_MS * 1000)


@pytest.fixture
def table(local_settings: Settings, database: Connection) -> Iterator[Table]:
    """An archive with a file of an append, a file of a correction and a file of a compaction."""
    for run in range(2):  # two files of August, which become one
        store(database, *(made(f"a{run}-{number}", START_MS - 40 * MS_PER_DAY, number) for number in range(CALLS)))
        archive_now(local_settings)
    assert compact_archive(local_settings).compacted.files_after == 1
    store(database, *(made(f"b{number}", START_MS, number) for number in range(CALLS)))
    archive_now(local_settings)
    store(database, made("b0", START_MS, 0, cost_micros=5))
    archive_now(local_settings)
    store(database, *(made(f"c{number}", START_MS, number) for number in range(CALLS)))
    archive_now(local_settings)
    with open_catalog(local_settings) as catalog:
        loaded = load_calls(catalog)
        assert loaded is not None
        yield loaded


def made(name: str, start: int, number: int, **changed: Any) -> Any:
    dice = random.Random(name)
    number_called = f"+49{dice.randrange(10**9)}"
    fields = {"to_num": number_called, "billsec": dice.randrange(900), "cost_micros": dice.randrange(10**6)}
    return call(name, "acme", start + number, **fields | changed)


def readers(table: Table) -> dict[str, Callable[[], Any]]:
    """Every way in which the archive's files are read, each returning all that it reads."""
    everything = Selection(accounts=EveryAccount(), since=0, until=FOR_EVER_MS)

    def page() -> Any:
        return list(read_all(table, everything))

    def rerate() -> Any:
        slices = answered_calls(table, accounts=None, since_ms=0, until_ms=FOR_EVER_MS, unrated=False)
        return sorted((row for rows in slices for row in rows), key=lambda row: (row["start_ts"], row["call_id"]))

    def totals() -> Any:
        return [day_totals(table, START_MS // MS_PER_DAY - before) for before in (0, 40)]

    def lookup() -> Any:
        return sorted(find_calls(table, {"b0", "c1", "a1-2"}, first_ms=0, last_ms=FOR_EVER_MS))

    def correction() -> Any:
        with archive_errors("reading"):
            return [read_file(table, task).to_pylist() for task in plan_files(table, EVERYTHING)]

    def compaction() -> Any:
        with archive_errors("merging"):
            return [merged(table, task.file) for task in plan_files(table, EVERYTHING)]

    def foreign() -> Any:
        with archive_errors("scanning"):
            return sorted(table.scan().to_arrow().to_pylist(), key=lambda row: row["call_id"])

    def sums() -> Any:
        engine = EmbeddedEngine(threads=1, memory_bytes=64 * 1024**2, limit_s=60)
        try:
            return engine.sum_calls(table, Question(selection=everything, groups=("prefix",), prefix_digits=15), ())
        finally:
            engine.close()

    return {
        "page": page, "rerate": rerate, "totals": totals, "lookup": lookup, "correction": correction,
        "compaction": compaction, "foreign": foreign, "sums": sums,
    }  # fmt: skip


def merged(table: Table, file: DataFile) -> Any:
    """Merge a file alone, and return the rows of the result."""
    written = merge(table, [file], partition_key(table, file.partition[0], file.partition[1]))
    path = path_of(written.file)
    rows = parquet.read_table(path).to_pylist()
    path.unlink()
    return rows


def path_of(file: DataFile) -> Path:
    return Path(file.file_path.removeprefix("file://"))


def pages_end(content: bytes) -> int:
    """Return where the footer begins: before it are the pages, which have checksums."""
    return len(content) - 8 - int.from_bytes(content[-8:-4], "little")


@pytest.mark.parametrize("flips", [50, pytest.param(150, marks=pytest.mark.soak)])
def test_no_flipped_bit_gives_other_data_in_silence(table: Table, flips: int) -> None:
    """Bits over the pages of the files of an append, of a correction and of a compaction, in every reader."""
    dice = random.Random(20261129)
    whole = {name: read() for name, read in readers(table).items()}
    files = [path_of(task.file) for task in plan_files(table, EVERYTHING)]
    assert len(files) == 3
    noticed = dict.fromkeys(whole, 0)
    expected: dict[str, type[Exception]] = dict.fromkeys(whole, ArchiveDamaged) | {"foreign": ArchiveError}
    for _ in range(flips):
        path = dice.choice(files)
        content = path.read_bytes()
        position = dice.randrange(4, pages_end(content))
        flipped = bytearray(content)
        flipped[position] ^= 1 << dice.randrange(8)
        path.write_bytes(flipped)
        for name, read in readers(table).items():
            try:
                assert read() == whole[name], f"{name} returned other data: {path} at {position}"
            except expected[name]:
                noticed[name] += 1
        path.write_bytes(content)
    assert all(noticed[name] > flips // 3 for name in ("page", "rerate", "correction", "compaction", "foreign"))
    assert {name: read() for name, read in readers(table).items()} == whole


def test_pyiceberg_still_takes_the_options_that_are_replaced() -> None:
    """An upgrade of pyiceberg that renames one of the two private functions fails here, and at import."""
    assert iceberg_arrow._get_parquet_writer_kwargs({})["write_page_checksum"] is True
    options = iceberg_arrow._get_file_format("PARQUET", pre_buffer=True).default_fragment_scan_options
    assert options.page_checksum_verification is True
