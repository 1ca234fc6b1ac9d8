"""Single values of the entries in the archive's lists of files (Avro manifests), several times as fast as pyiceberg.

pyiceberg makes objects of all 24 values of an entry, with a Python call or more for each. But an entry is regular: the
list's own schema becomes a regular expression that matches an entry to its last byte, or not at all, and whose groups
are the values that are wanted. A list with any entry that it does not match is left to pyiceberg: one with longer texts
or more bounds than `archive run` writes, or by another engine with another layout.
"""

import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from io import BytesIO
from typing import Any, Final, TypeAlias

import msgspec
from pyiceberg.avro.file import AvroFile
from pyiceberg.io import FileIO
from pyiceberg.manifest import DATA_FILE_TYPE, DataFile, ManifestFile

from tollbook.archive._pyarrow import untyped
from tollbook.archive.damage import check_count
from tollbook.archive.schema import PARTITIONS

#: Iceberg's ids of the values of an entry.
PATH: Final = 100
RECORD_COUNT: Final = 103
FILE_SIZE: Final = 104
LOWER_BOUNDS: Final = 125
UPPER_BOUNDS: Final = 128
ACCOUNT: Final = PARTITIONS.fields[0].field_id
MONTH: Final = PARTITIONS.fields[1].field_id
_STATUS: Final = 0

_Decoder: TypeAlias = Callable[[bytes], Any]

# The longest texts that are matched, in bytes, and the most items of a list or map: each length is an alternative, and
# the first ones are found faster. A bound has 16 characters at most.
_LONGEST_PATH: Final = 511
_LONGEST_TEXT: Final = 127
_MOST_NUMBERS: Final = 48
_MOST_BOUNDS: Final = 3

_NUMBER: Final = rb"[\x80-\xff]*+[\x00-\x7f]"
# What these values can only be: a status of three, a data file, and Parquet.
_ONLY: Final = {_STATUS: rb"[\x00\x02\x04]", 134: rb"\x00", 101: rb"\x0ePARQUET"}
_NULL: Final = b"\x00"
_DELETED: Final = b"\x04"  # 2
_RAW_DEFLATE: Final = -15
_PLACES: Final = {field.field_id: place for place, field in enumerate(DATA_FILE_TYPE[2].fields)}


class _UnknownLayout(Exception):
    """A list has something that is not matched."""


def read_entries(io: FileIO, manifest: ManifestFile, fields: Sequence[int]) -> list[tuple[Any, ...]]:
    """Return the values of `fields`, by Iceberg's ids, of each data file that a list names as part of the table.

    Bounds are dictionaries of bytes by the column's id, or None. Raises what pyiceberg raises, and ValueError for
    another number of files than the manifest list counts.
    """
    try:
        files = list(_matched(io, manifest, tuple(fields)))
    except _UnknownLayout:
        entries = manifest.fetch_manifest_entry(io, discard_deleted=True)
        files = [tuple(_value(entry.data_file, field) for field in fields) for entry in entries]
    check_count(manifest, len(files))
    return files


def _value(file: DataFile, field: int) -> Any:
    if field in (ACCOUNT, MONTH):
        return file.partition[(ACCOUNT, MONTH).index(field)]
    return file[_PLACES[field]]


def _matched(io: FileIO, manifest: ManifestFile, fields: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
    with io.new_input(manifest.manifest_path).open() as stream:
        content = stream.read()
    if len(content) != manifest.manifest_length:
        raise EOFError(f"{manifest.manifest_path} has {len(content)} bytes, not {manifest.manifest_length}")
    with AvroFile[Any](untyped(_Content(content))) as file:
        meta, sync, decoder = file.header.meta, file.header.sync, file.decoder
        codec = meta.get("avro.codec")
        if codec not in ("null", "deflate"):
            raise _UnknownLayout
        layout, decoders = _layout(meta["avro.schema"], fields)
        names = [_group(field) for field in (_STATUS, *fields)]
        while decoder.tell() < len(content):
            count, size = decoder.read_int(), decoder.read_int()
            if not 0 <= size <= len(content) - decoder.tell() - len(sync):  # pyiceberg's decoder does not look
                raise EOFError(f"{manifest.manifest_path} ends within an entry")
            block = decoder.read(size)
            if decoder.read(len(sync)) != sync:
                raise ValueError(f"{manifest.manifest_path} is damaged between two entries")
            if codec == "deflate":
                block = zlib.decompress(block, _RAW_DEFLATE)
            end = 0
            for _ in range(count):
                match = layout.match(block, end)
                if match is None:
                    raise _UnknownLayout
                end = match.end()
                status, *values = match.group(*names)
                if status != _DELETED:
                    yield tuple([decode(value) for decode, value in zip(decoders, values, strict=True)])
            if count < 1 or end != len(block):
                raise _UnknownLayout


class _Content:
    """A file that was read, for pyiceberg to open."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def open(self) -> BytesIO:
        return BytesIO(self._content)


@lru_cache(maxsize=8)
def _layout(schema: str, fields: tuple[int, ...]) -> tuple[re.Pattern[bytes], list[_Decoder]]:
    """Return the layout of an entry with this Avro schema, and what makes values of its groups."""
    decoders: dict[int, _Decoder] = {}
    pattern, _ = _of_type(msgspec.json.decode(schema), {_STATUS, *fields}, decoders)
    if not decoders.keys() >= {_STATUS, *fields}:
        raise _UnknownLayout
    return re.compile(pattern, re.DOTALL), [decoders[field] for field in fields]


def _group(field: int) -> str:
    return f"f{field}"


def _of_type(kind: Any, wanted: set[int], decoders: dict[int, _Decoder], field: int = -1) -> tuple[bytes, _Decoder]:
    """Return the pattern of an Avro type and its decoder, with a group for each field that is wanted."""
    match kind:
        case "int" | "long":
            return _NUMBER, _number
        case "string" | "bytes":
            longest = _LONGEST_PATH if field == PATH else _LONGEST_TEXT
            return _sized(longest), _text if kind == "string" else _bytes
        case ["null", some]:
            pattern, decode = _of_type(some, wanted, decoders, field)
            return b"(?>\x00|\x02%b)" % pattern, lambda raw: None if raw == _NULL else decode(raw[1:])
        case {"type": "record", "fields": parts}:
            return b"".join(_of_field(part, wanted, decoders) for part in parts), bytes
        case {"type": "array", "items": {"fields": [{"type": "int"}, {"type": value}]}}:  # a map
            return _map_of(value)
        case {"type": "array", "items": "int" | "long"}:
            return _items(_NUMBER, _MOST_NUMBERS), bytes
        case _:
            raise _UnknownLayout


def _of_field(part: Mapping[str, Any], wanted: set[int], decoders: dict[int, _Decoder]) -> bytes:
    field = part["field-id"]
    pattern, decode = _of_type(part["type"], wanted, decoders, field)
    pattern = _ONLY.get(field, pattern)
    if field not in wanted:
        return pattern
    decoders[field] = lru_cache(decode) if field == MONTH else decode
    return b"(?P<%b>%b)" % (_group(field).encode(), pattern)


def _map_of(value: Any) -> tuple[bytes, _Decoder]:
    match value:
        case "int" | "long":
            return _items(_NUMBER * 2, _MOST_NUMBERS), bytes
        case "bytes":
            return _items(_NUMBER + _sized(_LONGEST_TEXT), _MOST_BOUNDS), _bounds
        case _:
            raise _UnknownLayout


def _items(item: bytes, most: int) -> bytes:
    """Return the pattern of an array in one block, whose end is an empty one."""
    blocks = b"|".join(b"%b(?:%b){%d}" % (_byte(2 * count), item, count) for count in range(1, most + 1))
    return b"(?>\x00|(?>%b)\x00)" % blocks


def _sized(longest: int) -> bytes:
    """Return the pattern of a text of at most so many bytes: its length as a number of one or two bytes, and itself."""
    ways: list[bytes] = []
    for low in range(64):
        ways.append(b"%b.{%d}" % (_byte(2 * low), low))
        more = [b"%b.{%d}" % (_byte(high), 64 * high + low) for high in range(1, (longest - low) // 64 + 1)]
        if more:
            ways.append(b"%b(?>%b)" % (_byte(0x80 | 2 * low), b"|".join(more)))
    return b"(?>%b)" % b"|".join(ways)


def _byte(value: int) -> bytes:
    return b"\\x%02x" % value


def _read_number(raw: bytes, place: int) -> tuple[int, int]:
    """Return the number at a place, and the place after it."""
    value = shift = 0
    while True:
        byte = raw[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value >> 1 ^ -(value & 1), place


def _number(raw: bytes) -> int:
    return _read_number(raw, 0)[0]


def _bytes(raw: bytes) -> bytes:
    return raw[1:] if raw[0] < 0x80 else raw[2:]  # behind a length of one or two bytes


def _text(raw: bytes) -> str:
    return _bytes(raw).decode()


def _bounds(raw: bytes) -> dict[int, bytes]:
    """Return the items of a map of bytes in one block, as it was matched."""
    found: dict[int, bytes] = {}
    count, place = _read_number(raw, 0)
    for _ in range(count):
        key, place = _read_number(raw, place)
        length, place = _read_number(raw, place)
        found[key] = raw[place : place + length]
        place += length
    return found
