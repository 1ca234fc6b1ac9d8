"""The command `tollbook recover`."""

from pathlib import Path

import click

from maintenance.progress import progress_bar
from maintenance.recover.run import recover_calls
from tollbook.config import load_settings
from tollbook.errors import Retryable
from tollbook.log import setup


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--wait", "wait_s", type=click.FloatRange(0, 3600), default=0, help="Seconds to wait for another recover."
)
def recover(folder: Path, wait_s: float) -> None:
    """Read the mod_json_cdr files in FOLDER: adds missed calls, makes estimates exact. Safe at any time.

    Files that were read are moved to FOLDER/done, those without a call record to FOLDER/refused,
    and those of calls that are archived and whose other legs are gone to FOLDER/late.
    """
    settings = load_settings()
    setup(settings.log_level)
    with progress_bar("recovering") as progress:
        report = recover_calls(settings, folder, progress, wait_s=wait_s)
    if report.busy and wait_s:  # asked to wait for it, and so to have the files read
        raise Retryable(f"another `tollbook recover` has been reading {folder} for {wait_s:.0f} s: try again later")
    click.echo(str(report))
