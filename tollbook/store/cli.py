"""The command `tollbook db`."""

import click

from tollbook.config import load_settings
from tollbook.store.database import SCHEMA_REVISION, connect
from tollbook.store.days.partitions import DAYS_AHEAD, OVERDUE_DAYS, begin_days, make_ready
from tollbook.store.schema import upgrade
from tollbook.times import current_day


@click.group()
def db() -> None:
    """Create and upgrade the database's schema."""


@db.command("upgrade")
def upgrade_command() -> None:
    """Bring the schema to this version and make the next days' partitions. Safe to run at every start."""
    settings = load_settings()
    url = settings.require_database_url()
    upgrade(url)
    with connect(url, name="db upgrade", autocommit=True) as connection:
        begin_days(connection, current_day() - settings.retention_days - OVERDUE_DAYS)
        make_ready(connection)
    click.echo(f"schema {SCHEMA_REVISION}, partitions ready {DAYS_AHEAD} days ahead")
