"""The command `tollbook archive`."""

import sys

import click

from maintenance.archive.attach import attach_archive
from maintenance.archive.query import archived_calls, write_csv, write_json
from maintenance.archive.run import archive_calls
from maintenance.compaction.cli import compact
from maintenance.options import time_option
from maintenance.progress import progress_bar
from tollbook.config import load_settings
from tollbook.errors import UsageError
from tollbook.log import setup
from tollbook.model.accounts import EveryAccount, OneAccount
from tollbook.model.record import COLUMNS
from tollbook.model.selection import Selection
from tollbook.store.outbox import BATCH_ROWS


@click.group()
def archive() -> None:
    """Append finished calls to the Iceberg archive, and read it."""


archive.add_command(compact)


@archive.command()
@click.option("--now", is_flag=True, help="Archive every finished call that waits, also those with estimated ends.")
def run(now: bool) -> None:
    """Archive the accounts that are due, each call exactly once. Safe at any time, also to kill.

    An account is due when 10,000 of its finished calls wait, or the first has waited for a day.
    """
    settings = load_settings()
    setup(settings.log_level)
    with progress_bar("archiving", min_total=BATCH_ROWS + 1) as progress:
        report = archive_calls(settings, now=now, progress=progress)
    click.echo(str(report))


@archive.command()
@click.argument("metadata", required=False)
def attach(metadata: str | None) -> None:
    """Find the archive again after its catalog was lost, by its newest metadata file or the one at METADATA.

    Looks below the warehouse of the settings. Refuses when the catalog knows an archive.
    """
    settings = load_settings()
    setup(settings.log_level)
    click.echo(attach_archive(settings, metadata))


@archive.command()
@click.option("--account", help="The account whose calls to print.")
@click.option("--all", "every", is_flag=True, help="Print every account's calls, and those without an account.")
@click.option("--since", default="1970-01-01", show_default=True, help="ISO 8601; UTC unless it has an offset.")
@click.option("--until", default="2100-01-01", show_default=True, help="Up to this time, exclusive.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV with a header, instead of a JSON object per line.")
def query(account: str | None, every: bool, since: str, until: str, as_csv: bool) -> None:
    """Print archived calls, newest first: one JSON object per line, as the API returns them, or CSV."""
    if every == (account is not None):
        raise UsageError("say whose calls: either --account ACCOUNT or --all")
    accounts = EveryAccount() if account is None else OneAccount(account)
    selection = Selection(accounts=accounts, since=time_option(since), until=time_option(until))
    # newline="": the CSV writes its own line ends, and values may contain others.
    with open(sys.stdout.fileno(), "w", encoding="utf-8", newline="", closefd=False) as out:
        write = write_csv if as_csv else write_json
        write(out, COLUMNS, archived_calls(load_settings(), selection))
