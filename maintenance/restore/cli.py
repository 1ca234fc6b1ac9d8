"""The command `tollbook archive restore`."""

import click

from maintenance.options import day_option
from maintenance.progress import progress_bar
from maintenance.restore.run import restore_days
from tollbook.command import begin_command


@click.command()
@click.argument("days", nargs=-1, required=True, metavar="DAY...")
def restore(days: tuple[str, ...]) -> None:
    """Bring the archived calls of days back to PostgreSQL, row by row as they are archived.

    A DAY is of the window, or adjoins it: then the window begins with it. Rows that have changed since they were
    archived stay. Safe at any time, also to kill and to repeat.
    """
    settings = begin_command()
    wanted = [day_option(day) for day in days]
    with progress_bar("restoring") as progress:
        report = restore_days(settings, wanted, progress=progress)
    click.echo(str(report))
