"""The command `tollbook prune`."""

import click

from maintenance.options import day_option
from maintenance.progress import progress_bar
from maintenance.prune.run import prune_days, requeue_day
from maintenance.recorded import recorded
from tollbook.command import begin_command
from tollbook.errors import UsageError


@click.command()
@click.option("--dry-run", is_flag=True, help="Verify, and say what would be dropped; change nothing.")
@click.option("--send-again", metavar="DAY", help="Send this day's calls to the archive again, where it differs.")
def prune(dry_run: bool, send_again: str | None) -> None:
    """Drop days older than TOLLBOOK_RETENTION_DAYS that the archive has, and make partitions ahead.

    Each day is compared with the archive first. One that differs is kept, and so is every later one. Safe at any time.
    """
    settings = begin_command()
    if send_again is not None:
        if dry_run:
            raise UsageError("--send-again changes nothing but the outbox: leave --dry-run out")
        sent = requeue_day(settings, day_option(send_again))
        click.echo(f"{sent} calls wait for the archive again: run `tollbook archive run`, then prune")
        return
    with recorded(settings, "prune", record=not dry_run) as work, progress_bar("pruning") as progress:
        report = prune_days(settings, dry_run=dry_run, progress=progress, write_line=click.echo)
        work.items = report.calls
    click.echo(str(report))
