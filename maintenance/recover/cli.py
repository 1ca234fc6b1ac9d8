"""The command `tollbook recover`."""

from pathlib import Path

import click
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from maintenance.recover.run import recover as run
from tollbook.config import load_settings
from tollbook.log import setup


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def recover(folder: Path) -> None:
    """Read the mod_json_cdr files of FOLDER: adds missed calls, makes estimates exact. Safe at any time.

    What was read is moved to FOLDER/done, what holds no call record to FOLDER/refused.
    """
    settings = load_settings()
    setup(settings.log_level)
    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:-1], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("recovering")
        done = run(settings, folder, lambda read, total: bar.update(task, completed=read, total=total))
    click.echo(str(done))
