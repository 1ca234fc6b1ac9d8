"""The command `tollbook demo`."""

import click

from tollbook.errors import UsageError


@click.command()
@click.option("--once", is_flag=True, help="Play each recorded call once, check everything, and leave with 0 or 1.")
@click.option("--esl", metavar="URL", help="Listen to your own switch instead: esl://:PASSWORD@HOST:8021")
def demo(once: bool, esl: str | None) -> None:
    """Try everything on this machine: database, listener, archive and API, in a folder that is removed at the end."""
    # Imported only when the demo runs: --help needs none of it.
    from tollbook.demo import run

    if once and esl:
        raise UsageError("--once plays recorded calls: leave out --esl")
    if once:
        run.once()
        return
    try:
        run.forever(esl)
    except KeyboardInterrupt:
        click.echo("\nstopped; nothing is left behind")
