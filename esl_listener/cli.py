"""The command `tollbook listen`."""
# ruff: noqa: E402 - the patch comes before every other import: psycopg picks its wait function when it is imported, and
# unpatched that function blocks every greenlet.

from gevent import monkey

monkey.patch_all()

import subprocess
import sys

import click

from esl_listener import database_wait
from esl_listener.service import listen as run
from tollbook.command import begin_command
from tollbook.errors import SchemaBehind, SettingsError, StoreUnavailable
from tollbook.process import own_command
from tollbook.store import row_security
from tollbook.store.database import check_schema, connect


@click.command()
@click.option("--upgrade", is_flag=True, help="Run `tollbook db upgrade` first, if the database needs it.")
def listen(upgrade: bool) -> None:
    """Listen to the switches of TOLLBOOK_ESL and write the call records, until SIGTERM."""
    settings = begin_command()
    database_wait.install()
    if upgrade:
        _upgrade_if_behind(settings.require_database_url())
    run(settings)


def _upgrade_if_behind(url: str) -> None:
    """Upgrade in a process of its own: what that imports takes as long as our whole start, and is seldom needed."""
    try:
        with connect(url, name="listen") as connection:
            check_schema(connection)
            # A release may change a policy and nothing else, and `tollbook serve` refuses to start with an old one.
            row_security.check(connection)
    except (StoreUnavailable, SettingsError):
        return  # `run` decides whether it can start without
    except SchemaBehind:
        done = subprocess.run(own_command(("db", "upgrade")), check=False)  # noqa: S603 - our own command, no shell
        if done.returncode:
            sys.exit(done.returncode)  # it has said why
