"""The command `tollbook prune`."""

import datetime as dt

import click
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from maintenance.prune.run import Watch, requeue_day
from maintenance.prune.run import prune as run
from tollbook.config import load_settings
from tollbook.errors import UsageError
from tollbook.log import setup

_EPOCH = dt.date(1970, 1, 1)


@click.command()
@click.option("--dry-run", is_flag=True, help="Verify, and say what would be dropped; change nothing.")
@click.option("--send-again", metavar="DAY", help="Send this day's calls to the archive again, where it differs.")
def prune(dry_run: bool, send_again: str | None) -> None:
    """Drop days older than TOLLBOOK_RETENTION_DAYS that the archive holds, and make partitions ahead.

    Each day is compared with the archive first; one that differs is kept, and so is every later one. Safe at any time.
    """
    settings = load_settings()
    setup(settings.log_level)
    if send_again is not None:
        if dry_run:
            raise UsageError("--send-again changes nothing but the outbox: leave --dry-run out")
        sent = requeue_day(settings, _day(send_again))
        click.echo(f"{sent} calls wait for the archive again: run `tollbook archive run`, then prune")
        return
    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:-1], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("pruning", total=None)
        done = run(
            settings,
            dry_run=dry_run,
            watch=Watch(progress=lambda days, due: bar.update(task, completed=days, total=due), tell=click.echo),
        )
    click.echo(str(done))


def _day(text: str) -> int:
    try:
        return (dt.date.fromisoformat(text) - _EPOCH).days
    except ValueError:
        raise UsageError(f"{text!r} is not a day like 2026-12-01") from None
