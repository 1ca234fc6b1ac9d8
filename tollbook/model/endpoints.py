"""Where events are sent, and what an endpoint may be: its URL, events, secret. Pure; docs/webhooks.md says why."""

import base64
import re
import secrets
from collections.abc import Collection, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

Event: TypeAlias = Literal["call.started", "call.answered", "call.ended", "call.updated", "test"]
Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

#: What an endpoint can be told of a call.
CALL_EVENTS: Final[tuple[Event, ...]] = ("call.started", "call.answered", "call.ended", "call.updated")
TEST: Final[Event] = "test"

MAX_URL: Final = 2_000
MIN_SECRET: Final = 8
MAX_SECRET: Final = 200
_SECRET_BYTES: Final = 24  # what Standard Webhooks recommends at least

#: Before a number, where people and programs see it.
_ID: Final = re.compile(r"(?:wh_)?([1-9][0-9]{0,17})")

# What no endpoint may be. `is_global` alone leaves out forms in which an IPv4 address, perhaps of the machine itself,
# stands inside of an IPv6 one: 6to4, Teredo, and below ::/8 NAT64, IPv4-compatible, IPv4-translated; and the older
# deprecated ones.
_REFUSED: Final = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
        "::/8", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
        "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
)  # fmt: skip


def webhook_name(webhook_id: int) -> str:
    """Return an endpoint's number as the API and the command show it: `wh_17`."""
    return f"wh_{webhook_id}"


def webhook_number(name: str) -> int | None:
    """Return the number in `wh_17` or `17`; None for anything else."""
    found = _ID.fullmatch(name)
    return int(found[1]) if found else None


def may_connect(address: str, allowed: Collection[Network]) -> bool:
    """Return whether events may be sent to an address that a name was resolved to.

    To public addresses, and to those in `allowed`, which the operator lists. `address`: as the system has it, an IPv6
    one perhaps with a zone.
    """
    found = _parse(address)
    return found is not None and (_is_among(found, allowed) or (found.is_global and not _is_among(found, _REFUSED)))


def is_listed(address: str, allowed: Collection[Network]) -> bool:
    """Return whether an address is one of those in `allowed`."""
    found = _parse(address)
    return found is not None and _is_among(found, allowed)


def _parse(address: str) -> Address | None:
    """Return an address; of an IPv4 address in IPv6's form the IPv4 one. None: it is none."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _is_among(address: Address, networks: Collection[Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def check_url(url: str, *, private_allowed: bool) -> None:
    """Raise ValueError unless events may be sent to a URL, as far as it tells by itself.

    `private_allowed`: the operator allows some private addresses, which may be reached without TLS. Which address a
    name has is checked at each connection.
    """
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"url must be up to {MAX_URL} printable ASCII characters: percent-encode all others")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    schemes = ("https", "http") if private_allowed else ("https",)
    if parts.scheme not in schemes or not host:
        raise ValueError("url must be https://HOST/PATH: events hold the numbers of callers")
    if parts.username is not None or parts.password is not None:
        raise ValueError("url must hold no user and no password: verify the signature of what comes instead")
    if parts.fragment:
        raise ValueError("url must have no fragment: no server gets to see it")
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
            _refuse_private(private_allowed)
        return
    if not may_connect(str(address), ()):
        _refuse_private(private_allowed)


def _refuse_private(private_allowed: bool) -> None:
    if not private_allowed:
        raise ValueError("url must lead to a public address, not to a private or reserved one")


def parse_events(value: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the events that an endpoint asks for, in their order; None: all, also those that are added later.

    `value`: names separated by commas, a list of them, `*`, or nothing. Raises ValueError for an unknown name.
    """
    names = value.split(",") if isinstance(value, str) else list(value or ())
    wanted = {name.strip() for name in names} - {""}
    if not wanted or "*" in wanted:
        return None
    if unknown := sorted(wanted - set(CALL_EVENTS)):
        raise ValueError(f"events has no {unknown[0][:40]!r}: there are {', '.join(CALL_EVENTS)}, or * for all")
    return tuple(name for name in CALL_EVENTS if name in wanted)


def new_secret() -> str:
    """Return a secret in the form of Standard Webhooks: `whsec_` and random bytes in base64."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}"


def check_secret(secret: str) -> None:
    """Raise ValueError for a secret that is too short, too long, or not of printable ASCII characters."""
    if not (MIN_SECRET <= len(secret) <= MAX_SECRET and secret.isascii() and secret.isprintable()):
        raise ValueError(
            f"secret must be {MIN_SECRET} to {MAX_SECRET} printable ASCII characters, or left out: then one is made"
        )


def standard_key(secret: str) -> bytes:
    """Return the bytes that sign by Standard Webhooks: those in `whsec_…`, or of any other secret its characters."""
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except ValueError:
            pass
    return secret.encode()


def standard_secret(secret: str) -> str:
    """Return a secret as a library of Standard Webhooks takes it."""
    return f"whsec_{base64.b64encode(standard_key(secret)).decode()}"
