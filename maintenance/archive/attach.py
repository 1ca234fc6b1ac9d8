"""`tollbook archive attach`: find the table again after its catalog was lost.

Each commit writes a metadata file with the next number and then makes the catalog point to it. A file whose commit was
killed in between is just as good: its batch is still claimed in the outbox, and the next run finds it archived. A file
whose commit was refused has no manifests any more. So the newest file that can be read completely is used.
"""

import re
from collections.abc import Iterator
from itertools import groupby

from pyiceberg.catalog import Catalog
from pyiceberg.io import FileIO, load_file_io
from pyiceberg.serializers import FromInputFile
from pyiceberg.table.metadata import TableMetadata

from maintenance.archive.storage import Storage
from maintenance.archive.table import default_location
from tollbook.archive.catalog import archive_errors, open_catalog
from tollbook.archive.schema import NAMESPACE, TABLE
from tollbook.config import Settings
from tollbook.errors import UsageError
from tollbook.store import outbox
from tollbook.store.database import check_schema, connect

_METADATA = re.compile(r"/(\d{5,})-[^/]+\.metadata\.json$")


def attach_archive(settings: Settings, metadata: str | None = None) -> str:
    """Register the table of the newest complete metadata file, or of the one at `metadata`; return what was found.

    Raises UsageError if the catalog knows an archive or none is found; ArchiveError, StoreUnavailable.
    """
    url = settings.require_database_url()
    with connect(url, name="attach", autocommit=True) as connection:
        check_schema(connection)
        with (
            outbox.sole_archiver(url, name="attach"),
            open_catalog(settings, writing=True) as catalog,
            archive_errors("attaching the archive"),
        ):
            if catalog.table_exists(TABLE):
                raise UsageError("the catalog knows an archive already: there is nothing to attach")
            found = metadata or _newest(catalog)
            # Before the table can be written: rows that wait in the database may be in the archive already.
            unverified = outbox.mark_unverified(connection)
            catalog.create_namespace_if_not_exists(NAMESPACE)
            snapshot = catalog.register_table(TABLE, found).current_snapshot()
    rows = snapshot.summary["total-records"] if snapshot and snapshot.summary else "0"
    return f"attached: {rows} calls, by {found}; {unverified} waiting rows are looked for in it before they are added"


def _newest(catalog: Catalog) -> str:
    location = default_location(catalog)
    if location is None:
        raise UsageError("this catalog does not say where its tables are: name the metadata file to attach")
    io = load_file_io(catalog.properties, location)
    storage = Storage(io, location)
    for candidate in _candidates(io, storage):
        if _is_whole(io, candidate):
            return candidate
    raise UsageError(
        f"no archive is at {location}: check PYICEBERG_CATALOG__TOLLBOOK__WAREHOUSE or TOLLBOOK_DATA_DIR;"
        " an archive must stay where it was written, because its files name each other by full paths"
    )


def _candidates(io: FileIO, storage: Storage) -> Iterator[str]:
    """Yield the metadata files, that with the highest number first; of equal numbers, that written last."""
    numbered = sorted(
        ((int(match[1]), file.path) for file in storage.files("metadata") if (match := _METADATA.search(file.path))),
        reverse=True,
    )
    for _, same_number in groupby(numbered, key=lambda pair: pair[0]):
        locations = [storage.location(path) for _, path in same_number]
        yield from sorted(locations, key=lambda location: _read(io, location).last_updated_ms, reverse=True)


def _read(io: FileIO, location: str) -> TableMetadata:
    return FromInputFile.table_metadata(io.new_input(location))


def _is_whole(io: FileIO, location: str) -> bool:
    """Return whether the manifests of the current snapshot exist."""
    snapshot = _read(io, location).current_snapshot()
    try:
        return snapshot is None or all(
            io.new_input(manifest.manifest_path).exists() for manifest in snapshot.manifests(io)
        )
    except FileNotFoundError:
        return False
