"""The command `tollbook setup`."""

import os
import sys
from pathlib import Path

import click

from tollbook.env_file import DEFAULT_ENV_FILE, ENV_FILE

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--yes", "silent", is_flag=True, help="Ask nothing: take the options, what is set, and the defaults.")
@click.option("--env-file", type=click.Path(path_type=Path), help=f"The file of settings. Default: {DEFAULT_ENV_FILE}.")
@click.option("--user", help="Who runs the services. Default: tollbook, or ourselves where we are not root.")
@click.option("--data-dir", help="Where archive and spool are. Default as root: /var/lib/tollbook.")
@click.option("--database-url", help="A database that is there, with its roles.")
@click.option("--admin-database-url", help="Who may make database and roles. Default: postgresql:///postgres.")
@click.option("--database", default="tollbook", show_default=True, help="The database to make.")
@click.option("--role", default="tollbook", show_default=True, help="The role to make, which owns it.")
@click.option("--reset-password", is_flag=True, help="Give a role that is there the password of the file.")
@click.option("--print-sql", is_flag=True, help="Print the SQL for an administrator of PostgreSQL, and end.")
@click.option("--esl", multiple=True, metavar="URL", help="A switch, esl://:PASSWORD@HOST:8021. Can be repeated.")
@click.option("--cdr-dir", help="The folder of the switch's JSON CDR files, where it runs on this machine; or none.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Any other setting. Can be repeated.")
@click.option("--deck", type=_FILE, help="The rates of the plan, as `tollbook rates import` takes them.")
@click.option("--plan", help="The plan of deck and account. Default: retail.")
@click.option("--currency", help="The plan's currency. Default: USD.")
@click.option("--account", help="The first account; with an API key.")
@click.option("--account-name", help="Its name. Default: the id.")
@click.option("--numbering", help="How it dials: US, DE, …")
@click.option("--operator-key/--no-operator-key", default=None, help="Make a key that reads all calls.")
@click.option("--start/--no-start", default=None, help="Start the services, where systemd has them. Default: start.")
def setup(
    silent: bool,
    env_file: Path | None,
    user: str | None,
    data_dir: str | None,
    database_url: str | None,
    admin_database_url: str | None,
    database: str,
    role: str,
    reset_password: bool,
    print_sql: bool,
    esl: tuple[str, ...],
    cdr_dir: str | None,
    settings: tuple[str, ...],
    deck: Path | None,
    plan: str | None,
    currency: str | None,
    account: str | None,
    account_name: str | None,
    numbering: str | None,
    operator_key: bool | None,
    start: bool | None,
) -> None:
    """Set up this machine: database, settings, switches, first account and key; or with --yes, without a question.

    Safe to run again at any time: what is set is kept, what is missing is made, and what differs is said. Ends with
    what `tollbook doctor` finds, and with its exit code.
    """
    # Here, because --help needs none of it.
    from maintenance.setup.context import Options
    from maintenance.setup.questions import Questions
    from maintenance.setup.run import set_up

    env_file = (env_file or Path(os.environ.get(ENV_FILE) or DEFAULT_ENV_FILE)).absolute()
    for name in [name for name in os.environ if name.startswith("TOLLBOOK_")]:
        del os.environ[name]  # the services would not see it
    options = Options(
        env_file=env_file,
        user=user,
        data_dir=data_dir,
        database_url=database_url,
        admin_database_url=admin_database_url,
        database=database,
        role=role,
        reset_password=reset_password,
        print_sql=print_sql,
        esl=esl,
        cdr_dir=cdr_dir,
        settings=settings,
        deck=deck,
        plan=plan,
        currency=currency,
        account=account,
        account_name=account_name,
        numbering=numbering,
        operator_key=operator_key,
        start=start,
    )
    sys.exit(set_up(options, Questions(silent=silent or print_sql)))
