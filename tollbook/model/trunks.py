"""Which legs leave for the outside, and so cost money, and which calls come from there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, Literal, TypeAlias

from tollbook.model.event import CUT_MARK
from tollbook.model.leg import Facts
from tollbook.model.numbers import number_of

#: Why a leg is off-net.
OffNetRule: TypeAlias = Literal[
    "the list of trunks", "sip_gateway_name", "a number of 7 digits or more, not a directory user"
]
#: Why a leg is not.
OnNetRule: TypeAlias = Literal[
    "a loopback channel, which no wire carries",
    "it came in",
    "the list of on-net peers",
    "an endpoint module without trunks",
    "a directory user was dialled",
    "a registered phone was dialled, user%domain",
    "no gateway, and no number of 7 digits or more",
]
#: Where a root comes from.
Arrival: TypeAlias = Literal["outside", "on-net peer", "directory user", "module without trunks", "this switch"]

# Endpoint modules that have phones, browsers or nothing at their far end. All others, sofia among them, have trunks.
_WITHOUT_TRUNKS: Final = frozenset({
    "loopback", "user", "group", "pickup", "verto", "rtc", "conference", "skinny", "rtmp", "rtp", "modem",
    "portaudio", "alsa", "vlc", "reference", "null", "error",
})  # fmt: skip
_DIALLED_NUMBER: Final = re.compile(r"\+?[0-9]{7,}")
_NOT_DIGITS: Final = str.maketrans("", "", " -.()#*")
_MODULE: Final = "module:"
_HOST: Final = "host:"
# An address, the next call's or the next leg's, is most often one that was looked up before.
_KNOWN_ADDRESSES: Final = 4096


@dataclass(frozen=True, kw_only=True)
class TrunkRules:
    """The operator's lists of trunks and on-net peers.

    An entry is a gateway, a sofia profile, a host, a network (`10.0.0.0/8`) or an endpoint module (`freetdm`);
    `gateway:`, `profile:`, `host:` or `module:` before it says which of these is meant. `prefixes` maps a gateway to
    the technical prefix that its carrier wants before each number.
    """

    trunks: frozenset[str] = frozenset()
    onnet: frozenset[str] = frozenset()
    prefixes: Mapping[str, str] = field(default_factory=dict[str, str])

    def verdict(self, leg: Facts) -> tuple[bool, OffNetRule | OnNetRule]:
        """Decide whether a leg is off-net, and name the rule. `leg`: the facts of its creation."""
        if leg.loopback:
            return False, "a loopback channel, which no wire carries"
        if not leg.outbound:
            return False, "it came in"
        if self.trunks and _is_listed(leg, self.trunks):
            return True, "the list of trunks"
        if self.onnet and _is_listed(leg, self.onnet):
            return False, "the list of on-net peers"
        if leg.gateway:
            return True, "sip_gateway_name"
        if not _is_long_number(number_of(leg.dialed)):
            return False, "no gateway, and no number of 7 digits or more"
        if leg.module in _WITHOUT_TRUNKS:
            return False, "an endpoint module without trunks"
        if leg.dialed_user:
            return False, "a directory user was dialled"
        if _is_registered_phone(leg):
            return False, "a registered phone was dialled, user%domain"
        return True, "a number of 7 digits or more, not a directory user"

    def arrival(self, leg: Facts) -> Arrival:
        """Decide where a call comes from. `leg`: the facts of its root's creation."""
        if leg.outbound:
            return "this switch"
        if leg.loopback:
            return "module without trunks"
        # Before the user: FXO and GSM boxes register as one.
        if self.trunks and _is_listed(leg, self.trunks):
            return "outside"
        if leg.user:
            return "directory user"
        if self.onnet and _is_listed(leg, self.onnet):
            return "on-net peer"
        return "module without trunks" if leg.module in _WITHOUT_TRUNKS else "outside"

    def is_phone(self, leg: Facts) -> bool:
        """Whether a phone of ours is certainly at a leg's far end: a directory user's, or what no trunk can be.

        Stricter than `verdict`, which decides about money: a short number sent to an address may be a carrier's all the
        same. Whoever must not learn of carriers is shown nothing of the far end of any other leg.
        """
        if leg.gateway or leg.source_gateway or (self.trunks and _is_listed(leg, self.trunks)):
            return False
        if leg.module in _WITHOUT_TRUNKS:
            return True
        return leg.dialed_user != "" or _is_registered_phone(leg) if leg.outbound else leg.user != ""

    def is_listed(self, leg: Facts) -> bool:
        """Whether the operator has named this leg's gateway, profile, host or module, in either list."""
        return _is_listed(leg, self.trunks) or _is_listed(leg, self.onnet)

    def doubt(self, leg: Facts) -> Literal["short_number", "user_abroad"] | None:
        """Return why an on-net leg without a gateway may be a carrier's all the same: neither list names its host."""
        match self.verdict(leg):
            case _, "a directory user was dialled":
                return "user_abroad"
            case _, "no gateway, and no number of 7 digits or more":
                is_number = number_of(leg.dialed).translate(_NOT_DIGITS).isdecimal()
                return "short_number" if is_number and not self.is_phone(leg) else None
            case _:
                return None

    def without_technical_prefix(self, gateway: str, sent: str) -> str:
        """Return the number sent to a gateway without the technical prefix that its carrier wants."""
        return sent.removeprefix(self.prefixes.get(gateway, ""))


def network_of(entry: str) -> IPv4Network | IPv6Network | None:
    """Return the network that an entry of the lists names, with or without `host:`; None when it names no address."""
    try:
        return ip_network(entry.removeprefix("host:"), strict=False)
    except ValueError:
        return None


def _is_listed(leg: Facts, entries: frozenset[str]) -> bool:
    # An outbound leg is known by where it was sent, one that came in by who sent it.
    gateway, host = (leg.gateway, leg.host) if leg.outbound else (leg.source_gateway, leg.source_ip)
    if any(
        name and (name in entries or f"{kind}:{name}" in entries)
        for kind, name in (("gateway", gateway), ("profile", leg.profile))
    ):
        return True
    return leg.module in _in_lower_case(entries, _MODULE) or (
        bool(host) and (host.lower() in _in_lower_case(entries, _HOST) or _is_within(host, entries))
    )


@lru_cache(maxsize=16)
def _in_lower_case(entries: frozenset[str], kind: str) -> frozenset[str]:
    """Return what the entries may say of endpoint modules or hosts, whose names have no case."""
    return frozenset(entry.lower().removeprefix(kind) for entry in entries)


@lru_cache(maxsize=8)
def _networks(entries: frozenset[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(network for entry in entries if (network := network_of(entry)) is not None)


@lru_cache(maxsize=_KNOWN_ADDRESSES)
def _is_within(host: str, entries: frozenset[str]) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address  # a socket of both families: ::ffff:192.0.2.1
    return any(address in network for network in _networks(entries))


def _is_long_number(number: str) -> bool:
    return _DIALLED_NUMBER.fullmatch(number.translate(_NOT_DIGITS)) is not None


def _is_registered_phone(leg: Facts) -> bool:
    """Whether a leg was dialled as `sofia/internal/user%domain`.

    A caller may dial a `%` too, as in %23 for `#`: where the channel's name has a host, it is part of the number. A
    name that was cut may have lost its host.
    """
    if leg.module != "sofia" or "@" in leg.channel or CUT_MARK in leg.channel:
        return False
    return "%" in leg.channel or "%" in leg.dialed
