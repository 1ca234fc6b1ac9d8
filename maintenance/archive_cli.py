"""The command `tollbook archive`."""

import os
import sys

import click

from maintenance.agents.attach import attach_agents, give_up_agents
from maintenance.agents.close import close_agent_days
from maintenance.archive.attach import Attached, attach_archive
from maintenance.archive.begin_anew import begin_anew
from maintenance.archive.query import archived_calls, write_csv, write_json
from maintenance.archive.run import archive_calls
from maintenance.compaction.cli import compact
from maintenance.options import time_option
from maintenance.progress import progress_bar
from maintenance.recorded import recorded
from maintenance.restore.cli import restore
from maintenance.sums.run import build_unbuilt
from maintenance.verify.cli import verify
from tollbook.command import begin_command
from tollbook.config import load_settings
from tollbook.errors import UsageError
from tollbook.model.accounts import EveryAccount, OneAccount
from tollbook.model.record import QUERIED_COLUMNS
from tollbook.model.selection import Selection
from tollbook.store.outbox import BATCH_ROWS

# Of sums that are not built, in each run: the next rows are due in five minutes.
_BUILD_S = 60.0


@click.group()
def archive() -> None:
    """Append finished calls to the Iceberg archive, and read it."""


archive.add_command(compact)
archive.add_command(verify)
archive.add_command(restore)


@archive.command()
@click.option("--now", is_flag=True, help="Archive every finished call that waits, also those with estimated ends.")
def run(now: bool) -> None:
    """Archive the accounts that are due, each call exactly once. Safe at any time, also to kill.

    An account is due when 10,000 of its finished calls wait, or the first has waited for a day.
    """
    settings = begin_command()
    with recorded(settings, "archive") as work:
        with progress_bar("archiving", min_total=BATCH_ROWS + 1) as progress:
            report = archive_calls(settings, now=now, progress=progress)
        work.items = report.committed.rows
        click.echo(str(report))
        agents = close_agent_days(settings)
        if agents.days:
            click.echo(str(agents))
        # After an upgrade, or after an archive was attached, the sums build themselves, a minute every five.
        sums = build_unbuilt(settings, limit_s=_BUILD_S)
        if sums.built or sums.left:
            click.echo(str(sums))


@archive.command()
@click.argument("metadata", required=False)
@click.option("--disown", multiple=True, metavar="FILE", help="Leave this metadata file aside: it is no newer state.")
@click.option("--no-archive", is_flag=True, help="There is no archive at this warehouse: begin a new one.")
def attach(metadata: str | None, disown: tuple[str, ...], no_archive: bool) -> None:
    """Make the archive and a database that was restored, copied, moved or set up anew fit together.

    Finds the archive again below the warehouse of the settings, by its newest metadata file or the one at METADATA,
    and restores the window of the database from it. Refuses when the database is what it was and its catalog knows the
    archive. Ends with 74 if data files that no metadata names have calls that are nowhere else, having attached all the
    rest. With --no-archive, all calls of this database are archived anew, and no file of another archive is touched.
    """
    settings = begin_command()
    if no_archive and (metadata is not None or disown):
        raise UsageError("name metadata files, or say --no-archive")
    with progress_bar("restoring") as progress:
        attached = (
            Attached(text=begin_anew(settings, give_up_others=give_up_agents, progress=progress))
            if no_archive
            else attach_archive(settings, metadata, attach_others=attach_agents, disown=disown, progress=progress)
        )
    click.echo(str(attached))
    if attached.left_behind:
        sys.exit(os.EX_IOERR)


@archive.command()
@click.option("--account", help="The account whose calls to print.")
@click.option("--all", "every", is_flag=True, help="Print every account's calls, and those without an account.")
@click.option("--since", default="1970-01-01", show_default=True, help="ISO 8601; UTC unless it has an offset.")
@click.option("--until", default="2100-01-01", show_default=True, help="Up to this time, exclusive.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV with a header, instead of a JSON object per line.")
def query(account: str | None, every: bool, since: str, until: str, as_csv: bool) -> None:
    """Print archived calls, newest first: one JSON object per line, or CSV, with the currency and the details."""
    if every == (account is not None):
        raise UsageError("say whose calls: either --account ACCOUNT or --all")
    accounts = EveryAccount() if account is None else OneAccount(account)
    selection = Selection(accounts=accounts, since=time_option(since), until=time_option(until))
    # newline="": the CSV writes its own line ends, and values may contain others.
    with open(sys.stdout.fileno(), "w", encoding="utf-8", newline="", closefd=False) as out:
        write = write_csv if as_csv else write_json
        write(out, QUERIED_COLUMNS, archived_calls(load_settings(), selection))
