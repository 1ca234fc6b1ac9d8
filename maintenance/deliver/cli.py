"""The command `tollbook deliver`."""

import click

from tollbook.command import begin_command


@click.command()
def deliver() -> None:
    """Tell endpoints of what happened to calls, over HTTP and to NATS, until SIGTERM.

    Any number may run at once: they share the endpoints.
    """
    # Here, because the other commands start faster without aiohttp and NATS.
    from maintenance.deliver.service import deliver as run

    run(begin_command())
