"""The command `tollbook`. Every package registers its own commands as entry points in the group `tollbook.commands`.

A command is loaded by name when it is run. So `tollbook listen` can patch the standard library before anything else
imports it, and `tollbook --help` imports nothing.
"""

import sys
from importlib.metadata import entry_points, version
from typing import NoReturn

import click

from tollbook.errors import TollbookError

# Written here, in the order in which a newcomer needs them, because --help must not import six packages.
_HELP = {
    "demo": "Try everything on this machine, with a simulated switch or your own.",
    "listen": "Listen to the switches and write the call records.",
    "spool": "List what waits on disk, and retry refused legs.",
    "serve": "Serve the API.",
    "db": "Create and upgrade the database's schema.",
    "account": "Accounts: their plans by date, how they dial, the numbers they own.",
    "key": "Create, list and revoke API keys.",
    "rates": "Rate plans: import and export rates, and explain a price.",
    "explain": "Explain a call: its legs, why each column has its value, and its price.",
    "archive": "Append finished calls to the Iceberg archive, and read it.",
    "prune": "Drop days that the archive has, and make partitions ahead.",
    "doctor": "Check everything that Tollbook needs, and say what to do.",
    "rerate": "Price calls again with today's rates, and keep the old prices.",
    "recover": "Add calls that the listener missed, from the switch's mod_json_cdr files.",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_HELP)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
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
