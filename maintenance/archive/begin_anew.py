"""`tollbook archive attach --no-archive`: go on with a database for which there is no archive, and begin a new one.

For a staging copy, which gets a warehouse of its own; for a database in which nothing was ever archived; and when the
archive is lost and there is no copy of it. Explicit, because a warehouse that is merely set wrong looks the same.
"""

from pyiceberg.catalog import Catalog
from pyiceberg.io import load_file_io

from maintenance.archive.attach import AttachOthers, attach_none
from maintenance.archive.metadata_files import data_without_metadata
from maintenance.archive.table import default_location
from maintenance.progress import Progress, no_progress
from maintenance.restore.window import restore_window
from tollbook.archive.catalog import archive_errors, has_own_catalog, load_archive, open_catalog
from tollbook.archive.pointer import read_pointer
from tollbook.archive.schema import TABLE
from tollbook.archive.storage import Storage
from tollbook.config import Settings
from tollbook.errors import ArchiveLost, UsageError
from tollbook.store import history
from tollbook.store.archive_commits import forget_commits
from tollbook.store.archiver import sole_archiver
from tollbook.store.database import Connection, check_schema, connect
from tollbook.store.sums.unbuilt import distrust_sums


def begin_anew(
    settings: Settings, *, give_up_others: AttachOthers = attach_none, progress: Progress = no_progress
) -> str:
    """Let the catalog forget the archive that it knows, and send every complete call to a new one.

    No file of the old one is touched. `give_up_others`: for its other tables. Raises UsageError if there is an
    archive at the warehouse, or if the catalog may be another installation's too; ArchiveError, StoreUnavailable.
    """
    url = settings.require_database_url()
    with connect(url, name="attach", autocommit=True) as connection:
        check_schema(connection)
        history.recognise(connection, settings.data_dir)
        with sole_archiver(url, name="attach"), open_catalog(settings, writing=True) as catalog:
            location = _empty_location(catalog)
            known = _known(connection, catalog)
            if known and not has_own_catalog(settings):
                raise UsageError(
                    f"the catalog (PYICEBERG_CATALOG__TOLLBOOK__URI) knows the archive at {known}, and may be another"
                    " installation's too: set the URI of a catalog of this database's own"
                )
            history.expect_attach(connection)
            distrust_sums(connection)
            if known:
                with archive_errors("taking the archive out of the catalog"):
                    catalog.drop_table(TABLE)
            report = restore_window(
                connection, None, deleted={}, retention_days=settings.retention_days, progress=progress
            )
            others = give_up_others(connection, catalog)
            forget_commits(connection)
            history.accept(connection)
    left = f"; the archive at {known} is given up, and stays as it is" if known else ""
    begins = f"a new archive begins at {location or 'the warehouse'}"
    return f"{begins}: {report.restored.sent} archived calls wait for it{left}" + (f"\n{others}" if others else "")


def _empty_location(catalog: Catalog) -> str | None:
    """Return where the catalog puts a new table; raise UsageError if there is an archive, or what is left of one."""
    location = default_location(catalog)
    if location is not None:
        with archive_errors("looking for an archive"):
            storage = Storage(load_file_io(catalog.properties, location), location)
            if any(True for _ in storage.files("metadata")):
                raise UsageError(f"there is an archive at {location}: attach it, without --no-archive")
            if left := data_without_metadata(storage, location):
                raise UsageError(left)
    return location


def _known(connection: Connection, catalog: Catalog) -> str | None:
    """Return where the archive is that the catalog knows; raise UsageError if this database has to go on with it."""
    try:
        table = load_archive(catalog)
    except ArchiveLost:
        return read_pointer(catalog) or "a metadata file that cannot be read"
    if table is not None and history.restored(connection) is None:
        raise UsageError(
            f"this database is the one that it was, and its archive is at {table.location()}: nothing is to be given up"
        )
    return table.location() if table is not None else None
