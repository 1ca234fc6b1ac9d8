"""The metadata files of the archive's table, by their names and numbers."""

import re
from dataclasses import dataclass
from typing import Final

from pyiceberg.exceptions import ValidationError
from pyiceberg.io import FileIO
from pyiceberg.serializers import FromInputFile
from pyiceberg.table.metadata import TableMetadata

from tollbook.archive.storage import Storage

COMMIT_PROPERTY: Final = "tollbook.commit-id"
OWNER_PROPERTY: Final = "tollbook.owner"

_FOLDER: Final = "metadata"
_NAME = re.compile(rf"/{_FOLDER}/(\d{{5,}})-[^/]+\.metadata\.json$")


@dataclass(frozen=True, kw_only=True, slots=True)
class MetadataFile:
    """A metadata file that was listed: its location, its number, and when it was written (epoch s; 0: unknown)."""

    location: str
    number: int
    written_s: float


def number_of(location: str) -> int:
    """Return the number in a metadata file's name; -1, as pyiceberg, if it has none."""
    found = _NAME.search(location)
    return int(found[1]) if found else -1


def table_location(metadata_location: str) -> str | None:
    """Return the location of the table that a metadata file belongs to; None for a name that is no metadata file's."""
    found = _NAME.search(metadata_location)
    return metadata_location[: found.start()] if found else None


def list_metadata(storage: Storage) -> list[MetadataFile]:
    """List the metadata files of a table's location in any order; raises what the storage raises."""
    return [
        MetadataFile(location=storage.location(file.path), number=number_of(file.path), written_s=file.written_s)
        for file in storage.files(_FOLDER)
        if _NAME.search(file.path)
    ]


def data_without_metadata(storage: Storage, location: str) -> str | None:
    """Return what to do about data files at a table's location that may be the only copies of calls; None if none is.

    To be asked where no metadata file leads to them: once a new table is begun there, a compaction would take them for
    orphans. Raises what the storage raises.
    """
    count = sum(1 for _ in storage.files("data"))
    if not count:
        return None
    return (
        f"there are {count} data files at {location}, but no metadata that leads to them: copy its folder"
        f" {_FOLDER}/ back from a backup and run `tollbook archive attach`, or give the archive another warehouse"
        " (PYICEBERG_CATALOG__TOLLBOOK__WAREHOUSE, or TOLLBOOK_DATA_DIR); nothing was written and nothing removed"
    )


def read_metadata(io: FileIO, location: str) -> TableMetadata | None:
    """Read a metadata file; return None if it is missing or torn. Raises what the storage raises."""
    try:
        return FromInputFile.table_metadata(io.new_input(location))
    except (FileNotFoundError, ValidationError, UnicodeDecodeError):
        return None
