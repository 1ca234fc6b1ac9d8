"""The commands `tollbook archive compact` and `tollbook archive attach`."""

import click

from maintenance.archive.attach import attach as run_attach
from maintenance.compaction.run import CompactionReport
from maintenance.compaction.run import compact as run_compact
from maintenance.progress import progress_bar
from tollbook.config import load_settings
from tollbook.log import setup

_SHOWN_ORPHANS = 20


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--remove-orphans", is_flag=True, help="Delete the files that nothing names; otherwise they are listed.")
def compact(dry_run: bool, remove_orphans: bool) -> None:
    """Merge each closed month into one file an account, and tidy up. Safe at any time, also to kill.

    Snapshots that are older than three days expire. Files that no snapshot names and that are three days old are
    orphans. With TOLLBOOK_ARCHIVE_RETENTION_MONTHS, older months are dropped.
    """
    settings = load_settings()
    setup(settings.log_level)
    with progress_bar("compacting", from_total=2) as progress:
        done = run_compact(settings, dry=dry_run, remove_orphans=remove_orphans, progress=progress)
    for line in told(done):
        click.echo(line)


def told(done: CompactionReport) -> list[str]:
    """Say what was done, in lines."""
    merged = done.compacted
    lines = [
        f"would compact: {merged.files_before} files of closed months"
        if done.dry
        else f"compacted: {merged.files_before} files into {merged.files_after}, {merged.rows} rows"
    ]
    if done.dropped_before is not None:
        before = f"{done.dropped_before:%Y-%m}"
        lines.append(
            f"would drop: months before {before}"
            if done.dry
            else f"dropped: {done.dropped_rows} rows of months before {before}"
        )
    if done.snapshots is None:
        lines.append("expired: nothing, a batch of `archive run` is under way")
    else:
        lines.append(f"{'would expire' if done.dry else 'expired'}: {done.snapshots} snapshots")
    if done.orphans is not None:
        found = f"{len(done.orphans.files)} files, {done.orphans.bytes / 1e6:.1f} MB"
        lines.append(f"orphans {'removed' if done.orphans_removed else 'found'}: {found}")
        if not done.orphans_removed and done.orphans.files:
            lines += [f"  {done.orphans.storage.location(one.path)}" for one in done.orphans.files[:_SHOWN_ORPHANS]]
            lines.append("  delete them with --remove-orphans")
    return lines


@click.command()
@click.argument("metadata", required=False)
def attach(metadata: str | None) -> None:
    """Find an archive again whose catalog was lost, by its newest metadata file, or by the one at METADATA.

    Looks below the warehouse of the settings. Refuses when the catalog knows an archive.
    """
    settings = load_settings()
    setup(settings.log_level)
    click.echo(run_attach(settings, metadata))
