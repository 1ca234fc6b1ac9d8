"""`metadata/tollbook-head.json`: the newest commit that any database has begun.

It is overwritten before each commit's metadata is written. So one small read shows a writer that another database has
committed since, where it would otherwise have to list the folder.
"""

from typing import Final

import msgspec
from pyiceberg.io import FileIO

_NAME: Final = "tollbook-head.json"


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """A commit's id, the number of its metadata file, when it began (epoch ms), and the owner that makes it."""

    id: str
    number: int
    time: int
    owner: str


def write_head(io: FileIO, table_location: str, head: Head) -> None:
    """Overwrite the head; raises what the storage raises."""
    with io.new_output(_location(table_location)).create(overwrite=True) as stream:
        stream.write(msgspec.json.encode(head))


def read_head(io: FileIO, table_location: str) -> Head | None:
    """Read the head; return None if it is missing, torn by a kill, or damaged. Raises what the storage raises."""
    try:
        with io.new_input(_location(table_location)).open() as stream:
            return msgspec.json.decode(stream.read(), type=Head)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _location(table_location: str) -> str:
    return f"{table_location}/metadata/{_NAME}"
