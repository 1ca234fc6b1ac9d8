"""The command `tollbook listen`."""
# ruff: noqa: E402 - the patch comes before every other import: psycopg picks its wait function when it is imported, and
# unpatched that function blocks every greenlet.

from gevent import monkey

monkey.patch_all()

import click

from esl_listener.service import listen as run
from tollbook.config import load_settings
from tollbook.log import setup


@click.command()
def listen() -> None:
    """Listen to the switches of TOLLBOOK_ESL and write the call records, until SIGTERM."""
    settings = load_settings()
    setup(settings.log_level)
    run(settings)
