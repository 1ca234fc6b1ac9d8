"""The command `tollbook archive compact`."""

import click

from maintenance.compaction.run import compact_archive
from maintenance.progress import progress_bar
from maintenance.recorded import recorded
from tollbook.command import begin_command


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--remove-orphans", is_flag=True, help="Delete the files that no snapshot names, else list them.")
def compact(dry_run: bool, remove_orphans: bool) -> None:
    """Merge each closed month into one file per account, and tidy up. Safe at any time, also to kill.

    Snapshots older than three days expire. Files that no snapshot names and that are three days old are orphans. With
    TOLLBOOK_ARCHIVE_RETENTION_MONTHS, older months are dropped.
    """
    settings = begin_command()
    with (
        recorded(settings, "compact", record=not dry_run) as work,
        progress_bar("compacting", min_total=2) as progress,
    ):
        report = compact_archive(settings, dry_run=dry_run, remove_orphans=remove_orphans, progress=progress)
        work.items = report.compacted.rows
    click.echo(str(report))
