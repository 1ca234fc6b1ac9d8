"""The quick way to read a list of files says what pyiceberg says, of any list."""

import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    write_manifest,
)
from pyiceberg.typedef import Record

from tollbook.archive import list_entries
from tollbook.archive.list_entries import (
    ACCOUNT,
    FILE_SIZE,
    LOWER_BOUNDS,
    MONTH,
    PATH,
    RECORD_COUNT,
    UPPER_BOUNDS,
    read_entries,
)
from tollbook.archive.schema import PARTITIONS, SCHEMA

IO = PyArrowFileIO()
ALL = (PATH, FILE_SIZE, RECORD_COUNT, ACCOUNT, MONTH, LOWER_BOUNDS, UPPER_BOUNDS)


def data_file(**other: Any) -> DataFile:
    values: dict[str, Any] = {
        "content": DataFileContent.DATA,
        "file_path": f"file:///srv/{uuid4()}.parquet",
        "file_format": FileFormat.PARQUET,
        "partition": Record("acme", 680),
        "record_count": 10_000,
        "file_size_in_bytes": 123_456,
        "lower_bounds": {2: b"acme", 6: struct.pack("<q", 5), 8: struct.pack("<q", -5)},
        "upper_bounds": {2: b"acme", 6: struct.pack("<q", 2**60), 8: struct.pack("<q", 2**61)},
        "split_offsets": [4],
        "spec_id": 0,
    }
    return DataFile.from_args(**{**values, **other})


def listed(
    folder: Path, *files: DataFile, codec: Any = "deflate", status: Callable[[int], ManifestEntryStatus] | None = None
) -> ManifestFile:
    """Write a list of files as pyiceberg does, in two commits."""
    with write_manifest(2, PARTITIONS, SCHEMA, IO.new_output(f"{folder}/{uuid4()}.avro"), 7, codec) as writer:
        for number, file in enumerate(files):
            entry = ManifestEntry.from_args(
                status=status(number) if status else ManifestEntryStatus.ADDED,
                snapshot_id=7 if number % 2 else 2**62 + number,
                sequence_number=None if number % 2 and not status else number,
                file_sequence_number=None if number % 2 and not status else number,
                data_file=file,
            )
            writer.add_entry(entry)
    return writer.to_manifest_file()


def by_pyiceberg(manifest: ManifestFile) -> list[tuple[Any, ...]]:
    files = [entry.data_file for entry in manifest.fetch_manifest_entry(IO)]
    return [
        (
            file.file_path, file.file_size_in_bytes, file.record_count, file.partition[0], file.partition[1],
            file.lower_bounds, file.upper_bounds,
        )
        for file in files
    ]  # fmt: skip


def is_matched(manifest: ManifestFile) -> bool:
    try:
        list(list_entries._matched(IO, manifest, ALL))
    except list_entries._UnknownLayout:
        return False
    return True


def test_values_are_those_that_pyiceberg_reads(tmp_path: Path) -> None:
    chance = random.Random(18)
    files = [
        data_file(
            file_path="s3://b/" + "p" * chance.choice([0, 1, 56, 57, 120, 200, 300, 504]),
            partition=Record("é" * chance.randrange(60), chance.choice([0, 63, 64, 660, 8191, 8192, -1])),
            record_count=chance.choice([0, 1, 63, 64, 2**31, 2**62]),
            file_size_in_bytes=chance.choice([1, 127, 128, 2**40]),
            lower_bounds=chance.choice([None, {}, {6: b""}, {2: b"x" * 64, 6: b"12345678", 8: b"\0" * 8}]),
            upper_bounds=chance.choice([None, {40: b"y" * 127}, {2: b"", 8: b"z"}]),
            column_sizes=chance.choice([None, dict.fromkeys(range(1, 40), 2**33)]),
            null_value_counts=chance.choice([None, {1: 0}]),
            split_offsets=chance.choice([None, [], [4], list(range(48))]),
            sort_order_id=chance.choice([None, 0, 3]),
        )
        for _ in range(300)
    ]
    for codec in ("deflate", "null"):
        manifest = listed(tmp_path, *files, codec=codec)
        assert is_matched(manifest)
        assert read_entries(IO, manifest, ALL) == by_pyiceberg(manifest)
        assert read_entries(IO, manifest, (MONTH, PATH)) == [(row[4], row[0]) for row in by_pyiceberg(manifest)]


def test_files_that_a_commit_removed_are_left_out(tmp_path: Path) -> None:
    kinds = [ManifestEntryStatus.EXISTING, ManifestEntryStatus.ADDED, ManifestEntryStatus.DELETED]
    files = [data_file(record_count=number) for number in range(9)]
    manifest = listed(tmp_path, *files, status=lambda number: kinds[number % 3])
    assert is_matched(manifest)
    assert read_entries(IO, manifest, (RECORD_COUNT,)) == [(0,), (1,), (3,), (4,), (6,), (7,)]


@pytest.mark.parametrize(
    ("other", "codec"),
    [
        ({"partition": Record("a" * 300, 680)}, "deflate"),
        ({"file_path": "s3://b/" + "p" * 600}, "null"),
        ({"lower_bounds": dict.fromkeys(range(1, 30), b"x")}, "deflate"),
        ({"split_offsets": list(range(100))}, "null"),
        ({}, "bzip2"),
    ],
)
def test_what_is_not_matched_is_left_to_pyiceberg(tmp_path: Path, other: dict[str, Any], codec: str) -> None:
    """One entry of many that is longer than any of ours, or a list that another engine compressed."""
    manifest = listed(tmp_path, data_file(), data_file(**other), data_file(), codec=codec)
    assert not is_matched(manifest)
    assert read_entries(IO, manifest, ALL) == by_pyiceberg(manifest)


@pytest.mark.parametrize("codec", ["deflate", "null"])
def test_a_list_that_is_cut_off_or_torn_is_refused(tmp_path: Path, codec: str) -> None:
    """Also between two entries, where pyiceberg takes what is left for the whole list."""
    manifest = listed(tmp_path, *[data_file() for _ in range(3)], codec=codec)
    path = Path(manifest.manifest_path)
    content = path.read_bytes()
    for length in range(len(content) - 1, len(content) - 700, -3):
        path.write_bytes(content[:length])
        with pytest.raises(EOFError):
            read_entries(IO, manifest, ALL)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ValueError, match="between two entries"):
        read_entries(IO, manifest, ALL)
    sync = content[-16:]
    last = content.rindex(sync, 0, -16) + 16  # the last entry, in a block of its own: a count, its size
    path.write_bytes(content[:last] + content[last : last + 1] + b"\xfe\x7f" + content[last + 3 :])
    with pytest.raises(EOFError):
        read_entries(IO, manifest, ALL)


def with_statuses_flipped(manifest: ManifestFile) -> Iterator[bytes]:
    """Yield the content of a list that was not compressed with each of its entries said to be removed."""
    content = Path(manifest.manifest_path).read_bytes()
    sync = content[-16:]
    begin = content.index(sync) + 16
    while begin < len(content):
        status = begin + (2 if content[begin + 1] < 0x80 else 3)  # behind a count of one, and a size
        assert (content[begin], content[status]) == (2, 0)
        yield content[:status] + b"\x04" + content[status + 1 :]
        begin = content.index(sync, begin) + 16


@pytest.mark.parametrize("longest", [20, 600])
def test_a_list_with_fewer_files_than_the_manifest_list_counts_is_refused(tmp_path: Path, longest: int) -> None:
    """A bit that flips in an entry's status would take a file from the table, also of a list that pyiceberg reads."""
    files = [data_file(), data_file(file_path="s3://b/" + "p" * longest), data_file()]
    manifest = listed(tmp_path, *files, codec="null", status=lambda _: ManifestEntryStatus.EXISTING)
    assert is_matched(manifest) is (longest < 500)
    flips = list(with_statuses_flipped(manifest))
    assert len(flips) == 3
    for content in flips:
        Path(manifest.manifest_path).write_bytes(content)
        with pytest.raises(ValueError, match="names 2 files, not 3"):
            read_entries(IO, manifest, ALL)


def test_a_manifest_list_that_counts_no_files_is_believed(tmp_path: Path) -> None:
    """As one of Iceberg's first version may be."""
    written = listed(tmp_path, data_file(), data_file())
    manifest = ManifestFile.from_args(
        manifest_path=written.manifest_path, manifest_length=written.manifest_length, sequence_number=1,
        partition_spec_id=0, content=ManifestContent.DATA, min_sequence_number=1, added_snapshot_id=7,
    )  # fmt: skip
    assert manifest.added_files_count is None
    assert len(read_entries(IO, manifest, ALL)) == 2
