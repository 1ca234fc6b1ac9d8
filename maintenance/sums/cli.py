"""The command `tollbook stats`."""

import click

from maintenance.progress import progress_bar
from maintenance.sums.run import DEFAULT_JOBS, rebuild_sums
from tollbook.command import begin_command


@click.group()
def stats() -> None:
    """Build the sums of calls anew, from rows and archive."""


@stats.command()
@click.option("--all", "everything", is_flag=True, help="Build all days anew, also those whose sums are built.")
@click.option(
    "--jobs", type=click.IntRange(1, 16), default=DEFAULT_JOBS, show_default=True, help="Days to build at a time."
)
def rebuild(everything: bool, jobs: int) -> None:
    """Build the sums of the days that have none: after an upgrade, or after an archive was attached.

    Safe at any time, beside the listener, also to kill: the next run goes on. Until a day is built, what is asked of it
    is not answered from sums.
    """
    settings = begin_command()
    with progress_bar("building sums") as progress:
        report = rebuild_sums(settings, everything=everything, jobs=jobs, progress=progress)
    click.echo(str(report))
