"""What the values of settings are, and how an operator writes them; a wrong one is a ValueError that says how."""

import re
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Final, TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic.dataclasses import dataclass
from pydantic_settings import NoDecode

from tollbook.model.party import parse_address
from tollbook.model.recordings import PLACEHOLDER
from tollbook.model.taxes import Tax, parse_taxes
from tollbook.model.trunks import network_of
from tollbook.model.variables import allowed_variables

ESL_PORT: Final = 8021


@dataclass(frozen=True, kw_only=True)
class EslAddress:
    """A switch's Event Socket, from `esl://:password@host:8021`; `?format=plain` asks for plain events."""

    host: str
    port: int
    password: SecretStr
    format: str = "json"

    def __str__(self) -> str:
        return _host_port(self.host, self.port)


@dataclass(frozen=True, kw_only=True)
class Bind:
    """A local address to serve on, from `host:port`."""

    host: str
    port: int

    def __str__(self) -> str:
        return _host_port(self.host, self.port)


def _host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _esl_address(url: str) -> EslAddress:
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None  # the error would quote the URL, with the password
    if parts.scheme != "esl" or not host:
        raise ValueError(
            "write each switch as esl://:PASSWORD@HOST:8021, several separated by commas; in PASSWORD % is written as"
            " %25, / as %2F, ? as %3F, # as %23, [ as %5B, ] as %5D, a comma as %2C"
        )
    if not parts.password:
        raise ValueError(f"the password of {host} is missing: write esl://:PASSWORD@{host}:8021")
    password = unquote(parts.password)
    if "\n" in password or "\r" in password:
        raise ValueError(f"the password of {host} holds a line break, which the Event Socket cannot transmit")
    form = parse_qs(parts.query).get("format", ["json"])[0]
    if form not in ("json", "plain"):
        raise ValueError(f"format={form} is not known: leave it out, or write format=plain")
    return EslAddress(host=host, port=port or ESL_PORT, password=SecretStr(password), format=form)


def _esl_addresses(value: Any) -> Any:
    return tuple(_esl_address(url) for url in _words(value)) if isinstance(value, str) else value


def _words(value: Any) -> Any:
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


def _variables(value: Any) -> Any:
    return allowed_variables(_words(value)) if isinstance(value, str) else value


def _recordings_url(value: str | None) -> str | None:
    try:
        parts = urlsplit(value or "")
        fits = value is None or (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and value.isascii()
            and value.isprintable()
            and " " not in value
            and value.count(PLACEHOLDER) == 1
            and PLACEHOLDER not in parts.netloc
        )
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"write https://HOST/{PLACEHOLDER}, where {PLACEHOLDER} is a recording's path below the root")
    return value


def _recordings_root(value: str | None) -> str | None:
    if value is not None and (not value.startswith("/") or {".", ".."} & set(value.split("/"))):
        raise ValueError("write the whole path of a folder on the switch, such as /var/lib/freeswitch/recordings")
    return value


def _api_url(value: str | None) -> str | None:
    try:
        parts = urlsplit(value or "")
        fits = value is None or (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and not (parts.query or parts.fragment or parts.username)
            and re.fullmatch(r"[!-~]+", value) is not None
            and not {"<", ">", '"'} & set(value)
        )
    except ValueError:
        fits = False
    if not fits:
        raise ValueError("write https://HOST, and the path before /v1 if there is one: https://calls.example.com")
    return value and value.rstrip("/")


def _peers(value: Any) -> Any:
    peers = _words(value)
    for peer in peers if isinstance(value, str) else ():
        if "/" in peer and network_of(peer) is None:
            raise ValueError(f"{peer} is no network: write 10.0.0.0/8 or fd00::/8")
    return peers


def _pairs(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    pairs = [word.partition("=") for word in _words(value)]
    if not all(key and separator and prefix for key, separator, prefix in pairs):
        raise ValueError("write GATEWAY=PREFIX, several separated by commas")
    return {key.strip(): prefix.strip() for key, _, prefix in pairs}


def _networks(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return tuple(ip_network(word, strict=False) for word in _words(value))
    except ValueError:
        raise ValueError(
            "write addresses or networks, several separated by commas: 127.0.0.1, 10.0.0.0/8, fd00::/8"
        ) from None


def _taxes(value: Any) -> Any:
    return parse_taxes(value) if isinstance(value, str) else value


def _address(value: Any) -> Any:
    return parse_address(value) if isinstance(value, str) else value


def _bind(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(?:\[(?P<six>[0-9a-fA-F:]+)\]|(?P<host>[^:\[\]]+)):(?P<port>[0-9]{1,5})", value.strip())
    if not found or not 0 <= int(found["port"]) <= 65535:
        raise ValueError("write HOST:PORT, for instance 127.0.0.1:8080 or [::1]:8080")
    return Bind(host=found["six"] or found["host"], port=int(found["port"]))


def _bytes(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"([0-9]{1,15}) ?([KMGT]?)(?:iB|B)?", value.strip(), re.IGNORECASE)
    if not found:
        raise ValueError("write a number of bytes, or one with K, M, G or T: 512M, 2G")
    return int(found[1]) * 1024 ** " KMGT".index(found[2].upper() or " ")


@cache
def known_zones() -> frozenset[str]:
    """Return the names of the IANA time zone database, which are read from some 600 files."""
    return frozenset(available_timezones())


def check_zone(value: str) -> str:
    """Return a time zone's name; raise ValueError for one that the IANA time zone database does not have."""
    # Looked up in the set first: ZoneInfo opens any file that a name leads to.
    if value not in known_zones():
        raise ValueError("write a name of the IANA time zone database, such as Europe/Berlin")
    return value


#: `esl://:PASSWORD@HOST:8021,…`
EslAddresses: TypeAlias = Annotated[tuple[EslAddress, ...], NoDecode, BeforeValidator(_esl_addresses)]
#: `NAME,NAME`, of channel variables.
VariableNames: TypeAlias = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_variables)]
ApiUrl: TypeAlias = Annotated[str | None, AfterValidator(_api_url)]
RecordingsUrl: TypeAlias = Annotated[str | None, AfterValidator(_recordings_url)]
RecordingsRoot: TypeAlias = Annotated[str | None, AfterValidator(_recordings_root)]
#: `HOST,10.0.0.0/8,…`
Peers: TypeAlias = Annotated[frozenset[str], NoDecode, BeforeValidator(_peers)]
#: `GATEWAY=PREFIX,…`
GatewayPrefixes: TypeAlias = Annotated[dict[str, str], NoDecode, BeforeValidator(_pairs)]
#: `HOST:PORT`
BindAddress: TypeAlias = Annotated[Bind, NoDecode, BeforeValidator(_bind)]
#: `127.0.0.1,10.0.0.0/8,…`
Networks: TypeAlias = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_networks)]
Taxes: TypeAlias = Annotated[tuple[Tax, ...], NoDecode, BeforeValidator(_taxes)]
#: Lines of a postal address.
PostalAddress: TypeAlias = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_address)]
#: Bytes: `512M`, `2G`.
Size: TypeAlias = Annotated[int, NoDecode, BeforeValidator(_bytes)]
Zone: TypeAlias = Annotated[str, AfterValidator(check_zone)]
