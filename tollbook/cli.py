"""The command `tollbook`. Every package registers its own commands as entry points in the group `tollbook.commands`.

A command is loaded by name when it is run. So `tollbook listen` can patch the standard library before anything else
imports it, and `tollbook --help` imports nothing.
"""

import os
import sys
from contextlib import suppress
from importlib.metadata import entry_points, version
from typing import NoReturn

import click

from tollbook.allocators import keep_little
from tollbook.env_file import load_env_file
from tollbook.errors import SettingsError, TollbookError

# Written here, in the order in which a newcomer needs them, because --help must not import six packages.
_HELP = {
    "demo": "Try everything on this machine, with a simulated switch or your own.",
    "setup": "Set up this machine: database, settings, switches, first account and key.",
    "run": "Run every process and timer in one group, on a machine without systemd.",
    "listen": "Listen to the switches and write the call records.",
    "spool": "List what waits on disk, and retry refused legs.",
    "serve": "Serve the API.",
    "deliver": "Tell endpoints of what happened to calls: webhooks, NATS.",
    "webhook": "List, test, switch on and off the endpoints that are told of calls; tell them again.",
    "db": "Create and upgrade the database's schema.",
    "account": "Accounts: plans by date, how they dial, the numbers they own; hold, export, erase calls.",
    "key": "Create, list and revoke API keys.",
    "rates": "Rate plans: import and export rates, and explain a price.",
    "statement": "Statements: what an account's calls of a month add up to; show, issue, write as PDF.",
    "explain": "Explain a call: its legs, why each column has its value, and its price.",
    "archive": "Append finished calls to the Iceberg archive, and read it.",
    "prune": "Drop days that the archive has, and make partitions ahead.",
    "doctor": "Check everything that Tollbook needs, and say what to do.",
    "rerate": "Price calls again with today's rates, and keep the old prices.",
    "stats": "Build the sums of calls anew, from rows and archive.",
    "recover": "Add calls that the listener missed, from the switch's mod_json_cdr files.",
    "import": "Add the calls of another system: FusionPBX, mod_cdr_csv, mod_cdr_pg_csv, mod_xml_cdr.",
}

# The demo has settings of its own, and must not touch a real database; `setup` writes the file.
_WITHOUT_SETTINGS = frozenset({"demo", "setup"})

# They read or write the archive, a batch at a time. `serve` answers many small questions, and is left as it is.
_IN_LITTLE_MEMORY = frozenset({"account", "archive", "prune", "rerate", "recover", "import", "statement", "stats"})


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_HELP)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _WITHOUT_SETTINGS:
            # Before the command's modules: pyiceberg reads its settings when it is imported. `load_settings` says why a
            # file cannot be read; --help needs none.
            with suppress(SettingsError):
                load_env_file(os.environ)
        if cmd_name in _IN_LITTLE_MEMORY:
            keep_little(os.environ)
        found = entry_points(group="tollbook.commands", name=cmd_name)
        return next(iter(found)).load() if found else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(_HELP.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("tollbook"), prog_name="tollbook")
def tollbook() -> None:
    """The call records of FreeSWITCH: one right, priced, archived row per call."""


def main() -> NoReturn:
    """Run the command; print an error of ours as one line, without a traceback, and exit with its code."""
    try:
        code = tollbook(standalone_mode=False)
    except TollbookError as error:
        click.echo(f"tollbook: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)
