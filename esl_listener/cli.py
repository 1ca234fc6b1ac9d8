"""The command `tollbook listen`."""
# ruff: noqa: E402 - the patch comes before every other import: psycopg picks its wait function when it is imported, and
# unpatched that function blocks every greenlet.

from gevent import monkey

monkey.patch_all()

import os
import subprocess
import sys

import click

from esl_listener import database_wait
from esl_listener.service import listen as run
from esl_listener.workers import share_out
from tollbook.command import begin_command
from tollbook.config import MAX_WORKERS
from tollbook.errors import SchemaBehind, SettingsError, StoreUnavailable
from tollbook.process import own_command
from tollbook.store import row_security
from tollbook.store.database import check_schema, connect


@click.command()
@click.option("--upgrade", is_flag=True, help="Run `tollbook db upgrade` first, if the database needs it.")
@click.option(
    "--workers",
    type=click.IntRange(1, MAX_WORKERS),
    help="Share the switches out among so many processes, where there are cores: TOLLBOOK_LISTEN_WORKERS, or 1.",
)
@click.option("--worker", "number", type=int, hidden=True)  # which of the workers this process is
def listen(upgrade: bool, workers: int | None, number: int | None) -> None:
    """Listen to the switches of TOLLBOOK_ESL and write the call records, until SIGTERM."""
    settings = begin_command()
    database_wait.install()
    if upgrade:
        _upgrade_if_behind(settings.require_database_url())
    shares = share_out(settings.require_esl(), workers or settings.listen_workers)
    if number is not None:
        run(settings, shares[number - 1])
    elif len(shares) > 1:
        _become_workers(len(shares))
    else:
        run(settings)


def _become_workers(count: int) -> None:
    """Go on as another program in this process, which systemd knows: see `esl_listener.workers`."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "esl_listener.workers", str(count)])  # noqa: S606 - no shell


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
