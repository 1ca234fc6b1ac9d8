"""The steps of `tollbook setup`, in order. Each looks first at what is there, so a run can be repeated at any time."""

from pathlib import Path
from typing import Final

import click

from maintenance.setup import services
from maintenance.setup.account_step import set_up_account, set_up_operator_key
from maintenance.setup.commands import Commands
from maintenance.setup.context import PREFIX, Context, Options, check_setting
from maintenance.setup.database_step import print_sql, set_up_database
from maintenance.setup.drop_ins import UNITS_DATA_DIR, write_drop_ins
from maintenance.setup.host import make_data_dir, service_user
from maintenance.setup.questions import Questions
from maintenance.setup.settings_file import SettingsFile
from maintenance.setup.switch_step import set_up_cdr_dir, set_up_switches
from tollbook.config import Settings
from tollbook.errors import TollbookError, UsageError
from tollbook.setting_values import EslAddress

_DATA_DIR: Final = "TOLLBOOK_DATA_DIR"
_ACCOUNT_VARIABLE: Final = "TOLLBOOK_ACCOUNT_VARIABLE"


def set_up(options: Options, questions: Questions) -> int:
    """Set everything up; return the exit code: the doctor's.

    What fails and can be done later is printed at the end; what nothing works without is raised.
    """
    user = service_user(options.user)
    context = Context(
        options=options,
        questions=questions,
        file=SettingsFile(options.env_file),
        user=user,
        commands=Commands(options.env_file, user),
    )
    _data_dir(context)
    _other_settings(context)
    if context.options.print_sql:
        print_sql(context)
        return 0
    set_up_database(context)
    addresses = set_up_switches(context)
    set_up_cdr_dir(context, addresses)
    _account_variable(context)
    context.write()
    context.say("schema: " + context.commands.run("db", "upgrade"))
    set_up_account(context)
    set_up_operator_key(context)
    _start(context, addresses)
    return _end(context)


def _data_dir(context: Context) -> None:
    default = context.file.value(_DATA_DIR) or (
        str(UNITS_DATA_DIR) if context.user.group is not None else str(Path.home() / ".local" / "share" / "tollbook")
    )

    def check(text: str) -> str:
        make_data_dir(Path(text), context.user)
        return text

    path = context.questions.ask(
        f"Tollbook keeps its archive, and what waits for the database, in a folder of the user {context.user.name}.",
        "data directory",
        check,
        given=context.options.data_dir,
        default=default,
    )
    context.set(_DATA_DIR, path)
    context.say(f"data directory {path}, of {context.user.name}")


def _other_settings(context: Context) -> None:
    for text in context.options.settings:
        name, separator, value = text.partition("=")
        field = name.removeprefix(PREFIX).lower()
        if not separator or (name.startswith(PREFIX) and field not in Settings.model_fields):
            raise UsageError(f"--set {name}: write NAME=VALUE, with a name of conf/tollbook.env.example")
        if name.startswith(PREFIX):
            check_setting(name, value)
        context.set(name, value)


def _account_variable(context: Context) -> None:
    kept = context.file.value(_ACCOUNT_VARIABLE)
    if context.questions.silent or kept is not None:
        return
    variable = context.questions.ask(
        "A channel variable names the account of a call. On FusionPBX it is domain_name.",
        "account variable",
        lambda text: check_setting(_ACCOUNT_VARIABLE, text).account_variable,
        default=Settings.model_fields["account_variable"].default,
    )
    context.set(_ACCOUNT_VARIABLE, variable)


def _start(context: Context, addresses: tuple[EslAddress, ...]) -> None:
    names = services.units()
    if not names:
        return
    if context.questions.confirm(
        "systemd runs the services, and starts them with the machine.",
        "start them",
        given=context.options.start,
        default=True,
    ):
        data_dir, cdr_dir = (context.file.value(name) for name in (_DATA_DIR, "TOLLBOOK_CDR_DIR"))
        try:
            changed = write_drop_ins(
                [name for name in names if name.endswith(".service")] + services.started_by(names),
                Path(data_dir or UNITS_DATA_DIR),
                None if cdr_dir is None else Path(cdr_dir),
            )
            for path in changed:
                context.say(f"systemd: {path} changed, for folders that the units do not name")
            # A restart that changes nothing would cost a second of listening.
            services.start(names, anew=bool(changed) or context.file.changed)
        except TollbookError as error:
            context.later.append(str(error))
            return
        context.say(f"started: {', '.join(names)}")
        with context.connected() as connection:
            services.wait_until_heard(connection, [str(address) for address in addresses])


def _end(context: Context) -> int:
    click.echo()
    code = context.commands.show("doctor")
    click.echo()
    for line in context.keys:
        click.echo(f"{line}   (shown only this once)")
    for line in context.later:
        click.echo(f"to do: {line}")
    if not services.units():
        click.echo("start it: `tollbook run`, or the services of conf/systemd; then see `tollbook doctor`")
    return code
