"""The command `tollbook recover`."""

from pathlib import Path

import click

from maintenance.progress import progress_bar
from maintenance.recorded import recorded
from maintenance.recover.run import recover_calls
from tollbook.command import begin_command
from tollbook.errors import Retryable


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--wait", "wait_s", type=click.FloatRange(0, 3600), default=0, help="Seconds to wait for another recover."
)
def recover(folder: Path, wait_s: float) -> None:
    """Read the mod_json_cdr files in FOLDER: adds missed calls, makes estimates exact. Safe at any time.

    Files that were read are moved to FOLDER/done, those without a call record to FOLDER/refused,
    and those of calls that are archived and whose other legs are gone to FOLDER/late.
    One at a time for a database: another one ends at once and says who is at work.
    """
    settings = begin_command()
    with recorded(settings, "recover") as work:
        with progress_bar("recovering") as progress:
            report = recover_calls(settings, folder, progress, wait_s=wait_s)
        work.items = report.files
        if report.busy and wait_s:  # asked to wait for it, and so to have the files read
            raise Retryable(f"{report.busy}, and did not end within {wait_s:g} s: try again later")
        click.echo(str(report))
        if report.gone:
            raise Retryable(
                f"{report.gone} files of {folder} went away before they were read; the log names them: if their legs"
                " were not heard either, bring the files back and try again"
            )
