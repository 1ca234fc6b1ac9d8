"""The steps of the switches, and of the folder of their CDR files."""

from typing import Final

import click

from maintenance.setup import switches
from maintenance.setup.context import LOOPBACK, NONE, Context, check_setting
from maintenance.setup.drop_ins import UNITS_CDR_DIR
from maintenance.setup.host import check_cdr_dir
from tollbook.errors import SettingsError, TollbookError
from tollbook.setting_values import EslAddress

_ESL: Final = "TOLLBOOK_ESL"
_CDR_DIR: Final = "TOLLBOOK_CDR_DIR"
_ESL_FORM: Final = "esl://:PASSWORD@HOST:8021"
_DEFAULT_SWITCH: Final = "127.0.0.1:8021"


def set_up_switches(context: Context) -> tuple[EslAddress, ...]:
    """Return the switches of the settings, each tried: those that are said, else kept, else asked for.

    Raises SettingsError.
    """
    value = context.file.value(_ESL)
    kept = check_setting(_ESL, value).esl if value is not None else ()
    addresses = check_setting(_ESL, ",".join(context.options.esl)).esl or kept
    for address in addresses:
        try:
            context.say(f"switch {address}: {switches.check_switch(address)}")
        except TollbookError as error:
            context.later.append(str(error))
    if not addresses and not context.questions.silent:
        addresses = _asked_switches(context)
    if not addresses:
        context.later.append(f"no switch is set, so that nothing is recorded: run this again with --esl {_ESL_FORM}")
    elif addresses != kept:
        context.set(_ESL, ",".join(map(switches.esl_url, addresses)))
        context.write()
    return addresses


def _asked_switches(context: Context) -> tuple[EslAddress, ...]:
    found: list[EslAddress] = []
    while True:
        host, port = context.questions.ask(
            "Tollbook listens to FreeSWITCH's Event Socket: listen-ip and listen-port of event_socket.conf.xml.",
            "switch",
            switches.parse_host,
            default=_DEFAULT_SWITCH,
        )
        address = context.questions.ask(
            "Its password is in event_socket.conf.xml, too. It is not shown.",
            "password",
            lambda text, host=host, port=port: switches.switch_address(host, port, text),
            hidden=True,
        )
        try:
            context.say(f"switch {address}: {switches.check_switch(address)}")
        except TollbookError as error:
            click.echo(f"  {error}")
            if not context.questions.confirm("It can be set all the same, and mended later.", "keep it", default=False):
                continue
        found.append(address)
        if not context.questions.confirm("One listener takes many switches.", "another switch", default=False):
            return tuple(found)


def set_up_cdr_dir(context: Context, addresses: tuple[EslAddress, ...]) -> None:
    """Set the folder of the CDR files, where a switch runs on this machine; what is wrong with it is for later."""
    here = any(address.host in LOOPBACK for address in addresses)
    default = context.file.value(_CDR_DIR) or (str(UNITS_CDR_DIR) if here and UNITS_CDR_DIR.is_dir() else NONE)
    if context.options.cdr_dir is None and not here and default == NONE:
        return
    try:
        path = context.questions.ask(
            "Where the switch runs on this machine, its JSON CDR files fill every gap: log-dir of"
            " json_cdr.conf.xml. none: there are none here.",
            "folder of the CDR files",
            lambda text: check_cdr_dir(text, context.user),
            given=context.options.cdr_dir,
            default=default,
        )
    except SettingsError as error:
        context.later.append(str(error))
        return
    if path is None:
        if context.file.value(_CDR_DIR) is not None:
            context.set(_CDR_DIR, "")
    else:
        context.set(_CDR_DIR, str(path))
        context.say(f"CDR files in {path}")
