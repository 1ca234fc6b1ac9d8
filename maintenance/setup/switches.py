"""Switches: their addresses as an operator writes them, and whether each lets us in."""

import re
import socket
from urllib.parse import quote

from pydantic import SecretStr

from tollbook.errors import ProtocolError, SettingsError, SwitchRefused, SwitchUnavailable, TollbookError
from tollbook.esl.client import EslClient
from tollbook.setting_values import ESL_PORT, EslAddress

_TIMEOUT_S = 5.0
_CONF = "event_socket.conf.xml"
# Not a plain `reload`: fs_cli comes in by this very module, which would be unloaded under the command that runs in it.
_RELOAD = "fs_cli -x 'sched_api +1 none reload mod_event_socket'"


def esl_url(address: EslAddress) -> str:
    """Return a switch as TOLLBOOK_ESL names it, whatever its password holds."""
    form = "" if address.format == "json" else f"?format={address.format}"
    return f"esl://:{quote(address.password.get_secret_value(), safe='')}@{address}{form}"


def parse_host(text: str) -> tuple[str, int]:
    """Return the host and the port of HOST, HOST:PORT or [IPV6]:PORT. Raises SettingsError."""
    found = re.fullmatch(r"(?:\[(?P<six>[0-9a-fA-F:]+)\]|(?P<host>[^:\[\]/@\s]+))(?::(?P<port>[0-9]{1,5}))?", text)
    if found is None or not 0 < int(found["port"] or ESL_PORT) < 65536:
        raise SettingsError(f"{text!r} is no address: write HOST, HOST:{ESL_PORT} or [::1]:{ESL_PORT}")
    return found["six"] or found["host"], int(found["port"] or ESL_PORT)


def switch_address(host: str, port: int, password: str) -> EslAddress:
    """Return a switch's address; raise SettingsError for a password that the Event Socket cannot transmit."""
    if not password or "\n" in password or "\r" in password:
        raise SettingsError(f"write the password of {_CONF}, in one line")
    return EslAddress(host=host, port=port, password=SecretStr(password))


def check_switch(address: EslAddress) -> str:
    """Log in to a switch and return what it is: FreeSWITCH and its version.

    Raises our errors, each with what to do on the switch.
    """
    try:
        with EslClient(address.host, address.port, timeout_s=_TIMEOUT_S) as client:
            client.login(address.password.get_secret_value())
            version = re.search(r"Version (\S+)", client.api("version"))
            found = f"FreeSWITCH {version[1]}" if version else "it answers, and does not say its version"
            records = client.api("module_exists mod_json_cdr") == "true"
    except TollbookError as error:
        raise type(error)(f"switch {address} {error}: {_remedy(address, error)}") from None
    if not records:
        found += "; it does not load mod_json_cdr, which keeps what we miss (conf/freeswitch/json_cdr.conf.xml)"
    return found


def _remedy(address: EslAddress, error: TollbookError) -> str:
    if isinstance(error, SwitchRefused) and "address" in str(error):
        ours = _our_address(address)
        return (
            f"its access list does not hold us: in {_CONF} set apply-inbound-acl to a list of acl.conf.xml that allows"
            f" {ours}/{128 if ':' in ours else 32} (loopback.auto allows this machine alone), then run `fs_cli -x"
            f" 'reloadacl'` and `{_RELOAD}`"
        )
    if isinstance(error, SwitchRefused):
        return f"it is the one of {_CONF} on the switch; after a change there run `{_RELOAD}`"
    if isinstance(error, ProtocolError):
        return f"something else than FreeSWITCH answers there: listen-ip and listen-port are in {_CONF}"
    if isinstance(error, SwitchUnavailable):
        return (
            f"is FreeSWITCH up, is mod_event_socket loaded, does listen-ip in {_CONF} let {_our_address(address)} reach"
            " it, and does a firewall?"
        )
    return "see the switch's log"


def _our_address(address: EslAddress) -> str:
    """Return the address that the switch sees us come from, as the routing table has it; nothing is sent."""
    try:
        kind, _, _, _, peer = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(kind, socket.SOCK_DGRAM) as probe:
            probe.connect(peer)
            return str(probe.getsockname()[0])
    except OSError:
        return "this machine"
