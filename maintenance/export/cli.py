"""The command `tollbook account export`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from maintenance.options import time_option
from maintenance.progress import progress_bar
from tollbook.config import load_settings
from tollbook.log import setup

if TYPE_CHECKING:
    from maintenance.export.files import Format


@click.command()
@click.argument("account_id")
@click.option("--to", "folder", required=True, type=click.Path(path_type=Path), help="A new or empty folder.")
@click.option("--format", "file_format", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True)
@click.option("--since", help="Calls that started at or after this time, ISO 8601; UTC unless it has an offset.")
@click.option("--until", help="Calls that started before this time. Default: now.")
def export(account_id: str, folder: Path, file_format: "Format", since: str | None, until: str | None) -> None:
    """Hand over all calls of ACCOUNT_ID, each once: a file a month, with a manifest of hashes, counts and sums.

    The columns are those of GET /v1/calls. `sha256sum -c SHA256SUMS` checks the folder anywhere. It is complete when it
    has manifest.json, which is written last.
    """
    # Here, because pyarrow and pyiceberg take a second to load, for which `account add` need not wait.
    from maintenance.export.run import export_calls

    settings = load_settings()
    setup(settings.log_level)
    with progress_bar("exporting days", min_total=2) as progress:
        report = export_calls(
            settings,
            account_id,
            folder,
            file_format=file_format,
            since=time_option(since) if since else 0,
            until=time_option(until) if until else None,
            progress=progress,
        )
    click.echo(str(report))
