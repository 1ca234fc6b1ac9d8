"""Which legs leave for the outside, and so cost money."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from tollbook.model.leg import Facts

#: Why a leg is off-net.
OffNetRule: TypeAlias = Literal[
    "the list of trunks", "sip_gateway_name", "a number of 7 digits or more, not a directory user"
]
#: Why a leg is not.
OnNetRule: TypeAlias = Literal[
    "a loopback channel, which no wire carries",
    "it came in",
    "the list of on-net peers",
    "a directory user was dialled",
    "no gateway, and no number of 7 digits or more",
]

_DIALLED_NUMBER: Final = re.compile(r"\+?[0-9]{7,}")
_NOT_DIGITS: Final = str.maketrans("", "", " -.()#*")


@dataclass(frozen=True, kw_only=True)
class TrunkRules:
    """The operator's lists of trunks and on-net peers.

    An entry is a gateway, a sofia profile or a host; `gateway:`, `profile:` or `host:` before it says which of these
    is meant. `prefixes` maps a gateway to the technical prefix that its carrier wants before each number.
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
        if self.trunks and _names(leg) & self.trunks:
            return True, "the list of trunks"
        if self.onnet and _names(leg) & self.onnet:
            return False, "the list of on-net peers"
        if leg.gateway:
            return True, "sip_gateway_name"
        if not leg.channel.startswith("sofia/") or not _is_long_number(leg.dialed):
            return False, "no gateway, and no number of 7 digits or more"
        if leg.dialed_user:
            return False, "a directory user was dialled"
        return True, "a number of 7 digits or more, not a directory user"

    def without_technical_prefix(self, gateway: str, sent: str) -> str:
        """Return the number sent to a gateway without the technical prefix that its carrier wants."""
        return sent.removeprefix(self.prefixes.get(gateway, ""))


def _names(leg: Facts) -> set[str]:
    names = {"gateway": leg.gateway, "profile": leg.profile, "host": leg.host}
    return {name for name in names.values() if name} | {f"{kind}:{name}" for kind, name in names.items() if name}


def _is_long_number(dialed: str) -> bool:
    return _DIALLED_NUMBER.fullmatch(dialed.translate(_NOT_DIGITS)) is not None
