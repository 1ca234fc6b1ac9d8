"""What is found in the bytes of a file that is cut off, damaged or too large to be parsed. Pure."""

import re
from collections.abc import Iterator
from typing import BinaryIO, Final
from urllib.parse import unquote

import msgspec

# No shorter than a field with its longest name and value: what is cut by one block stands whole in the next.
_OVERLAP: Final = 8192

# Looked at from every quotation mark: after a cut, or a text with a mark in it, nobody knows which ones open a text.
# A control character is in no text of JSON, and PostgreSQL takes no NUL.
_QUOTED: Final = re.compile(rb'"(?=([^"\\\x00-\x1f]{1,256})")')

_VALUE: Final = rb'"\s{0,8}:\s{0,8}"((?:[^"\\\x00-\x1f]|\\.){1,1024})"'


def blocks_of(file: BinaryIO, block_bytes: int) -> Iterator[bytes]:
    """Yield a file in blocks, which overlap so that no field is cut by all of them; raise OSError."""
    before = b""
    while block := file.read(block_bytes):
        yield before + block
        before = block[-_OVERLAP:]


def quoted_texts(content: bytes) -> set[str]:
    """Return what stands between quotation marks; some of it is what stands between two texts."""
    return {text.decode(errors="replace") for text in _QUOTED.findall(content)}


def stated_accounts(content: bytes, field: str) -> frozenset[str]:
    """Return the values of the field that has the account, as they stand there and with percent signs decoded.

    The account's name as any other text says nothing: `1001` can be an account, and a number that another one dials.
    """
    found = re.findall(rb'"' + re.escape(field.encode()) + _VALUE, content)
    values = {_unescaped(value) for value in found}
    return frozenset(values | {unquote(value) for value in values})


def _unescaped(value: bytes) -> str:
    try:
        return msgspec.json.decode(b'"' + value + b'"', type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return value.decode(errors="replace")
