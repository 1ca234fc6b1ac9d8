"""Which legs leave for the outside, and so cost money."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

from tollbook.model.leg import Facts

_DIALLED_NUMBER = re.compile(r"\+?[0-9]{7,}")
_NOT_DIGITS = str.maketrans("", "", " -.()#*")


@dataclass(frozen=True, kw_only=True)
class TrunkRules:
    """The operator's lists. An entry is a gateway, a sofia profile or a host; `gateway:`, `profile:` or `host:`
    before it says which of these is meant. `prefixes` maps a gateway to the technical prefix its carrier wants."""

    trunks: frozenset[str] = frozenset()
    onnet: frozenset[str] = frozenset()
    prefixes: Mapping[str, str] = field(default_factory=dict[str, str])

    def off_net(self, leg: Facts) -> str | None:
        """Tell by which rule a leg goes to the outside; None when it does not. `leg`: the facts of its creation."""
        if not leg.outbound or leg.loopback:
            return None
        if self.trunks and _names(leg) & self.trunks:
            return "the list of trunks"
        if self.onnet and _names(leg) & self.onnet:
            return None
        if leg.gateway:
            return "sip_gateway_name"
        if leg.channel.startswith("sofia/") and not leg.dialed_user and _is_long_number(leg.dialed):
            return "a number of 7 digits or more, not a directory user"
        return None

    def verdict(self, leg: Facts) -> tuple[bool, str]:
        """Tell whether a leg is off-net, and by which rule it is or is not. For people: the fold asks `off_net`."""
        rule = self.off_net(leg)
        if rule:
            return True, rule
        if leg.loopback:
            return False, "a loopback channel, which no wire carries"
        if not leg.outbound:
            return False, "it came in"
        # Which rule said no is learnt by asking what would turn it into a yes.
        if replace(self, onnet=frozenset()).off_net(leg):
            return False, "the list of on-net peers"
        if self.off_net(msgspec.structs.replace(leg, dialed_user="")):
            return False, "a directory user was dialled"
        return False, "no gateway, and no number of 7 digits or more"

    def billed_number(self, gateway: str, sent: str) -> str:
        """Give the number that counts: what was sent, less the technical prefix that the gateway's carrier wants."""
        return sent.removeprefix(self.prefixes.get(gateway, ""))


def _names(leg: Facts) -> set[str]:
    names = {"gateway": leg.gateway, "profile": leg.profile, "host": leg.host}
    return {name for name in names.values() if name} | {f"{kind}:{name}" for kind, name in names.items() if name}


def _is_long_number(dialed: str) -> bool:
    return _DIALLED_NUMBER.fullmatch(dialed.translate(_NOT_DIGITS)) is not None
