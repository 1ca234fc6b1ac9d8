"""The command `tollbook archive`."""

import sys

import click

from maintenance.archive.query import archived, write_csv, write_json
from maintenance.archive.run import run
from maintenance.compaction.cli import attach, compact
from maintenance.progress import progress_bar
from tollbook.config import load_settings
from tollbook.errors import UsageError
from tollbook.log import setup
from tollbook.model.accounts import EveryAccount, OneAccount
from tollbook.model.record import COLUMNS
from tollbook.model.selection import Selection
from tollbook.store.outbox import BATCH_ROWS
from tollbook.times import instant as read_instant


@click.group()
def archive() -> None:
    """Append finished calls to the Iceberg archive."""


archive.add_command(compact)
archive.add_command(attach)


@archive.command("run")
@click.option("--now", is_flag=True, help="Take every finished call that waits, estimated ends and all.")
def run_command(now: bool) -> None:
    """Archive the accounts that are due, exactly once. Safe to run at any time, also after a kill.

    An account is due when 10,000 of its finished calls wait, or the first has waited for a day.
    """
    settings = load_settings()
    setup(settings.log_level)
    with progress_bar("archiving", from_total=BATCH_ROWS + 1) as progress:
        done = run(settings, now=now, progress=progress)
    click.echo(str(done))


@archive.command()
@click.option("--account", help="The account whose calls to read.")
@click.option("--all", "every", is_flag=True, help="Read every account's calls, and those without an account.")
@click.option("--since", default="1970-01-01", show_default=True, help="ISO 8601; UTC unless it says otherwise.")
@click.option("--until", default="2100-01-01", show_default=True, help="Up to, and without, this time.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV with a header, in place of a line of JSON a call.")
def query(account: str | None, every: bool, since: str, until: str, as_csv: bool) -> None:
    """Print archived calls, newest first: a JSON object a line, as the API gives them, or CSV."""
    if every == (account is not None):
        raise UsageError("say whose calls: either --account ACCOUNT or --all")
    accounts = EveryAccount() if account is None else OneAccount(account)
    selection = Selection(accounts=accounts, since=instant(since), until=instant(until))
    # newline="": the CSV brings its own line ends, and values may hold others.
    with open(sys.stdout.fileno(), "w", encoding="utf-8", newline="", closefd=False) as out:
        (write_csv if as_csv else write_json)(out, COLUMNS, archived(load_settings(), selection))


def instant(text: str) -> int:
    """Read a time that an option gives, as epoch ms; raises UsageError."""
    try:
        return read_instant(text)
    except ValueError as error:
        raise UsageError(str(error)) from None
