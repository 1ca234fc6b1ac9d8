"""The archive's catalog: our defaults, which pyiceberg's own settings `PYICEBERG_CATALOG__TOLLBOOK__…` override.

Without settings the catalog is in Tollbook's PostgreSQL and the files are below the data directory. With only a
warehouse (such as `s3://…`) the catalog stays in PostgreSQL; a `uri`, or a `type` other than `sql`, replaces it.
`docs/archive.md` lists the settings that are useful.
"""

import logging
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from psycopg import Connection
from pyiceberg import exceptions as iceberg
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table
from sqlalchemy.engine import URL, make_url
from sqlalchemy.event import listen
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from tollbook.archive._pyarrow import pa
from tollbook.archive.configured import CATALOG, configured_properties
from tollbook.archive.damage import REMEDY
from tollbook.archive.file_io import DurableFileIO, create_private
from tollbook.archive.older_table import as_ours
from tollbook.archive.pointer import read_pointer
from tollbook.archive.schema import TABLE
from tollbook.config import Settings
from tollbook.database_url import connection_parameters
from tollbook.errors import ArchiveDamaged, ArchiveError, ArchiveLost, SettingsError

_REMEDY = (
    "nothing is lost by this: what waits for the archive stays in PostgreSQL, and the next run continues where this one"
    " stopped; check that the database and the warehouse (PYICEBERG_CATALOG__TOLLBOOK__…, or the data directory) can be"
    " reached and written"
)

# Its parts are separated by semicolons, so that `tollbook doctor` shortens each by itself.
_ATTACH = (
    "is the warehouse mounted, and the right one (PYICEBERG_CATALOG__TOLLBOOK__…, or the data directory)?; if the file"
    " is gone for good, `tollbook archive attach` goes on from the newest state that is left; until then nothing is"
    " written and nothing removed"
)

# pyiceberg's exceptions have no common base. S3, files and HTTP come as OSError, also from pyarrow and requests.
_FAILURES = (
    OSError,
    SQLAlchemyError,
    iceberg.RESTError,
    iceberg.DynamoDbError,
    iceberg.CommitFailedException,
    iceberg.ValidationException,
    iceberg.WaitingForLockException,
    iceberg.NoSuchTableError,
    iceberg.NoSuchNamespaceError,
    iceberg.NoSuchIdentifierError,
    iceberg.SignError,
    iceberg.ResolveError,
    pa.ArrowException,
)

# Seconds. The SDK's own 1 and 3 are too short for a busy server; it tries three times.
_S3_PATIENCE = {"s3.connect-timeout": "5", "s3.request-timeout": "20"}

# A self-hosted S3 server has no regions; without a region, pyiceberg asks Amazon for the bucket's.
_ANY_REGION = "us-east-1"

_UNDEFINED_TABLE = "42P01"

_CREDENTIALS = re.compile(r"(?<=://)[^@/\s]*@")


@contextmanager
def archive_errors(doing: str) -> Generator[None]:
    """Raise ArchiveError in place of what pyiceberg, its storage and its catalog raise; `doing` says what failed.

    Raises ArchiveDamaged for a file that is missing.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise ArchiveDamaged(f"{doing} failed, for a file is missing: {_message(error)}: {REMEDY}") from error
    except _FAILURES as error:
        raise ArchiveError(f"{doing} failed: {_message(error)}; {_REMEDY}") from error


def _message(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    return _CREDENTIALS.sub("***@", " ".join(str(cause).split())) or type(error).__name__


@contextmanager
def open_catalog(settings: Settings, *, writing: bool = False) -> Generator[Catalog]:
    """Open the archive's catalog, and close it at the end; create the catalog's own tables only for `writing`.

    Raises SettingsError for settings that pyiceberg refuses, ArchiveError for a catalog that does not answer.
    """
    # At INFO pyiceberg logs the classes that it loads, and at DEBUG its properties, secrets included.
    logging.getLogger("pyiceberg").setLevel(logging.WARNING)
    properties = {"init_catalog_tables": str(writing).lower()} | catalog_properties(settings)
    if str(properties.get("uri")).startswith("sqlite"):
        properties["uri"] = _sqlite_file(properties["uri"], create=writing)
    with archive_errors("opening the archive's catalog"):
        try:
            catalog = load_catalog(CATALOG, **properties)
        except (ValueError, iceberg.NoSuchPropertyException, iceberg.NotInstalledError) as error:
            raise SettingsError(
                f"pyiceberg refuses the archive's settings (PYICEBERG_CATALOG__TOLLBOOK__…: {', '.join(properties)}):"
                f" {_message(error)}"
            ) from None  # the error may quote a URI with its password
    if isinstance(catalog, SqlCatalog):
        listen(catalog.engine, "checkout", _prepare_nothing)
    try:
        yield catalog
    finally:
        catalog.close()


def _prepare_nothing(connection: object, *_: object) -> None:
    """Keep psycopg from preparing statements: behind PgBouncer the next transaction may have another session."""
    if isinstance(connection, Connection):
        connection.prepare_threshold = None


def catalog_properties(settings: Settings) -> dict[str, str]:
    """Return what the catalog is opened with: our defaults, overridden by pyiceberg's settings."""
    configured = configured_properties()
    defaults = {"py-io-impl": f"{DurableFileIO.__module__}.{DurableFileIO.__name__}"}
    defaults |= _S3_PATIENCE
    if "s3.endpoint" in configured and "client.region" not in configured:
        defaults["s3.region"] = _ANY_REGION
    if "uri" in configured or configured.get("type", "sql") != "sql":
        return defaults | configured
    defaults |= {"type": "sql", "uri": _sql_uri(settings), "pool_pre_ping": "true"}
    if "warehouse" not in configured:
        defaults["warehouse"] = _local_warehouse(settings)
    return defaults | configured


def has_own_catalog(settings: Settings) -> bool:
    """Return whether the catalog is in Tollbook's own database."""
    return catalog_properties(settings).get("uri") == _sql_uri(settings)


def _sql_uri(settings: Settings) -> str:
    """Return our URL as SQLAlchemy reads it, which takes several hosts only in the query."""
    query = connection_parameters(settings.require_database_url(), name="catalog")
    user, password, database = (query.pop(part, None) for part in ("user", "password", "dbname"))
    url = URL.create("postgresql+psycopg", username=user, password=password, database=database, query=query)
    return url.render_as_string(hide_password=False)


def _sqlite_file(uri: str, *, create: bool) -> str:
    """Return the URI of a catalog in an SQLite file so that opening it creates no file; first create it, if asked to.

    SQLite itself would create an empty file for a mere reader, with the modes of the umask.
    """
    url = make_url(uri)
    if not url.database or url.database == ":memory:" or "uri" in url.query:
        return uri
    if create:
        create_private(Path(url.database))
    file = url.set(database=f"file:{quote(url.database)}", query={**url.query, "mode": "rw", "uri": "true"})
    return file.render_as_string(hide_password=False)


def _local_warehouse(settings: Settings) -> str:
    folder = str(settings.data_dir.absolute() / "archive")
    if set(folder) & set("#?%"):
        raise SettingsError(
            f"TOLLBOOK_DATA_DIR: {folder} contains one of # ? %, which not every engine reads in a file:// URI:"
            " choose another folder, or set PYICEBERG_CATALOG__TOLLBOOK__WAREHOUSE"
        )
    return f"file://{folder}"


def load_calls(catalog: Catalog) -> Table | None:
    """Load the archive's table as it is now, to read it; return None if nothing was ever archived.

    It has all our columns, also when it was written before some of them were added. Raises as `load_archive`.
    """
    table = load_archive(catalog)
    return None if table is None else as_ours(table)


def load_archive(catalog: Catalog, identifier: tuple[str, str] = TABLE) -> Table | None:
    """Load the archive's table of calls, or another, as it is now, to write it; None if the catalog does not know it.

    Raises ArchiveError, and ArchiveLost if the metadata file to which the catalog leads is missing or torn.
    """
    with archive_errors("loading the archive's table"):
        try:
            return catalog.load_table(identifier)
        except iceberg.NoSuchTableError:
            return None
        except ProgrammingError as error:
            if getattr(error.orig, "sqlstate", None) == _UNDEFINED_TABLE:  # nothing was ever archived
                return None
            raise
        except FileNotFoundError as error:
            raise ArchiveLost(
                f"the archive's metadata file is missing; {_where(catalog, identifier)}; {_ATTACH}"
            ) from error
        except (iceberg.ValidationError, UnicodeDecodeError) as error:
            raise ArchiveLost(
                f"the archive's metadata file is torn or damaged; {_where(catalog, identifier)}; {_ATTACH}"
            ) from error


def _where(catalog: Catalog, identifier: tuple[str, str]) -> str:
    return read_pointer(catalog, identifier) or "its catalog knows the location"
