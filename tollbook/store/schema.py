"""Create and upgrade the schema with Alembic, one process at a time."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from tollbook.errors import SchemaError, StoreUnavailable
from tollbook.store.locks import UPGRADE_LOCK
from tollbook.store.row_security import PREPARE


def upgrade(url: str) -> None:
    """Bring the schema to this version; do nothing when it is current. Raises StoreUnavailable or SchemaError."""
    scheme, _, rest = url.partition("://")
    engine = create_engine(
        f"{scheme.replace('postgres', 'postgresql', 1) if scheme == 'postgres' else scheme}+psycopg://{rest}",
        poolclass=NullPool,
    )
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    try:
        with engine.connect() as connection:
            # Of two concurrent upgrades, the second waits here and then finds nothing to do.
            connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": UPGRADE_LOCK})
            connection.commit()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.exec_driver_sql(PREPARE)
            connection.commit()
    except CommandError as error:
        raise SchemaError(
            f"the schema was not upgraded: {error}: this Tollbook is older than the database: install the newer one"
        ) from error
    except SQLAlchemyError as error:
        cause = " ".join(str(getattr(error, "orig", None) or error).split())
        raise StoreUnavailable(f"the schema was not upgraded: {cause}") from error
    finally:
        engine.dispose()
