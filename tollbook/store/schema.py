"""Create and upgrade the schema with Alembic, one process at a time."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from tollbook.errors import SchemaError, StoreUnavailable
from tollbook.store import row_security
from tollbook.store.database import Connection, TimeLimits, connect
from tollbook.store.locks import UPGRADE_LOCK

# A table with a year of calls may take an hour for a new column's default or an index. A lock on a table is asked for
# no longer than the listener waits for one, because every INSERT waits behind us: the unit tries again.
_LIMITS = TimeLimits(statement_s=3600, transaction_s=2 * 3600)
_LOCK_S = 5


def upgrade(url: str) -> None:
    """Bring the schema to this version; do nothing when it is current. Raises StoreUnavailable or SchemaError.

    All of it is one transaction, so that a lock of the transaction is enough: a pooler would not keep a session's.
    """
    # SQLAlchemy connects as the rest of the program does: its own URLs do not take all that libpq takes.
    engine = create_engine("postgresql+psycopg://", creator=lambda: _connect(url), poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    try:
        with engine.begin() as connection:
            # Of two concurrent upgrades, the second waits here and then finds nothing to do.
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
            connection.execute(text("SELECT set_config('lock_timeout', :limit, true)"), {"limit": f"{_LOCK_S}s"})
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        raise SchemaError(
            f"the schema was not upgraded: {error}: this Tollbook is older than the database: install the newer one"
        ) from error
    except SQLAlchemyError as error:
        cause = " ".join(str(getattr(error, "orig", None) or error).split())
        raise StoreUnavailable(f"the schema was not upgraded: {cause}") from error
    finally:
        engine.dispose()
    with _connect(url) as connection:
        row_security.prepare(connection, lock_s=_LOCK_S)


def _connect(url: str) -> Connection:
    return connect(url, name="db upgrade", limits=_LIMITS)
