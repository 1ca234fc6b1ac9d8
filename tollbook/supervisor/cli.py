"""The command `tollbook run`."""

import sys

import click

from tollbook.command import begin_command
from tollbook.supervisor.group import run_group


@click.command()
def run() -> None:
    """Run everything until SIGTERM: listen, serve, deliver, and recover, archive, compact and prune at their times.

    For a container or another machine without systemd. What dies is started again; a service whose settings are wrong,
    or that the switch refuses, ends all with its exit code.
    """
    sys.exit(run_group(begin_command()))
