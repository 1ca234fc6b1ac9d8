"""Data files of an archive, and what can happen to them."""

from collections.abc import Iterator
from contextlib import contextmanager

from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from maintenance.archive.files import data_files
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings


@contextmanager
def loaded(settings: Settings) -> Iterator[Table]:
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        yield table


def read(table: Table, location: str) -> bytes:
    with table.io.new_input(location).open() as stream:
        return bytes(stream.read())


def write(table: Table, location: str, content: bytes) -> None:
    with table.io.new_output(location).create(overwrite=True) as stream:
        stream.write(content)


def file_of(table: Table, account: str, month: int = 0) -> DataFile:
    """The account's file of a month, counted from the newest."""
    return sorted(
        (file for file in data_files(table) if file.partition[0] == account), key=lambda file: -file.partition[1]
    )[month]


def footer_begins(content: bytes) -> int:
    return len(content) - 8 - int.from_bytes(content[-8:-4], "little")


def missing(table: Table, file: DataFile) -> None:
    table.io.delete(file.file_path)


def cut_off(table: Table, file: DataFile) -> None:
    write(table, file.file_path, read(table, file.file_path)[:-1])


def flipped_in_a_page(table: Table, file: DataFile) -> None:
    content = bytearray(read(table, file.file_path))
    content[footer_begins(content) // 2] ^= 4
    write(table, file.file_path, bytes(content))


def flipped_in_the_footer(table: Table, file: DataFile) -> None:
    """In the text "parquet-cpp-arrow", which names the writer: Parquet itself notices nothing."""
    content = bytearray(read(table, file.file_path))
    content[content.rindex(b"parquet-cpp")] ^= 1
    write(table, file.file_path, bytes(content))
