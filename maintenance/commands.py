"""The command `tollbook archive`."""

import datetime as dt
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import Progress

from maintenance.archive import run
from maintenance.query import archived, write_csv, write_json
from tollbook.config import load_settings
from tollbook.errors import UsageError
from tollbook.log import setup
from tollbook.model.row import COLUMNS
from tollbook.model.selection import Selection
from tollbook.store.outbox import BATCH_ROWS, GRACE_S


@click.group()
def archive() -> None:
    """Append finished calls to the Iceberg archive."""


@archive.command("run")
@click.option("--now", is_flag=True, help=f"Take the calls of the last {GRACE_S:.0f} seconds too.")
def run_command(now: bool) -> None:
    """Archive every finished call that waits, exactly once. Safe to run at any time, also after a kill."""
    settings = load_settings()
    setup(settings.log_level)
    with _progress_bar() as progress:
        done = run(settings, grace_s=0.0 if now else GRACE_S, progress=progress)
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
    selection = Selection(account_id=account, every_account=every, since=_instant(since), until=_instant(until))
    # newline="": the CSV brings its own line ends, and values may hold others.
    with open(sys.stdout.fileno(), "w", encoding="utf-8", newline="", closefd=False) as out:
        (write_csv if as_csv else write_json)(out, COLUMNS, archived(load_settings(), selection))


def _instant(text: str) -> int:
    try:
        when = dt.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a time like 2026-12-01 or 2026-12-01T08:00:00+01:00") from None
    return int((when if when.tzinfo else when.replace(tzinfo=dt.UTC)).timestamp() * 1000)


@contextmanager
def _progress_bar() -> Generator[Callable[[int, int], None]]:
    """Show a bar on a terminal once there is more to do than one batch."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("archiving", visible=False)

        def show(rows: int, total: int) -> None:
            bar.update(task, completed=rows, total=total, visible=total > BATCH_ROWS)

        yield show
