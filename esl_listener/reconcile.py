"""Decide from successive channel comparisons which open legs are gone. Pure: no clock, no socket."""

from dataclasses import dataclass

from esl_listener.channels import ChannelComparison
from tollbook.model.leg import Leg, LegKey, end_as_lost
from tollbook.store.calls.switch_processes import OpenLeg

# The channel list lags up to 200 ms, and a leg can be between two states: one denial proves nothing.
DENIED_TWICE_AFTER_S = 60.0


@dataclass(frozen=True, kw_only=True)
class GoneLeg:
    """A leg with its estimated end, and why it has one."""

    leg: Leg
    reason: str


class ChannelReconciler:
    """Remembers when each leg was first denied, and when the switch last confirmed it."""

    def __init__(self) -> None:
        self._first_denied_s: dict[LegKey, float] = {}
        self._alive_us: dict[LegKey, int] = {}

    @property
    def has_denied(self) -> bool:
        """Whether a leg was denied once and must be asked about again."""
        return bool(self._first_denied_s)

    def close_gone(self, found: ChannelComparison, *, core: str, now_s: float, switch_us: int) -> list[GoneLeg]:
        """Return the legs that a comparison made at `now_s` shows to be gone, each ended at its last sign of life.

        `core`: the Core-UUID of the switch's present process, '' while unknown. `switch_us`: the switch's clock
        (epoch µs) when it was last heard.
        """
        gone = [self._gone(open_leg, core, "its id is another leg's now") for open_leg in found.replaced]
        first_denied_s = {
            open_leg.leg.key: self._first_denied_s.get(open_leg.leg.key, now_s) for open_leg in found.denied
        }
        for open_leg in found.denied:
            # A leg of an earlier process is lost at once: after a restart nobody will hang it up any more. A leg of
            # the present process is given up only when it is denied twice, a minute apart.
            if _restarted(open_leg, core) or now_s - first_denied_s[open_leg.leg.key] >= DENIED_TWICE_AFTER_S:
                del first_denied_s[open_leg.leg.key]
                gone.append(self._gone(open_leg, core, "a leg is gone without an end"))
        self._first_denied_s = first_denied_s
        still_denied = {key: us for key, us in self._alive_us.items() if key in first_denied_s}
        self._alive_us = {open_leg.leg.key: switch_us for open_leg in found.alive} | still_denied
        return gone

    def _gone(self, open_leg: OpenLeg, core: str, reason: str) -> GoneLeg:
        leg = open_leg.leg
        if _restarted(open_leg, core):
            return GoneLeg(leg=end_as_lost(leg, open_leg.seen_us), reason="the switch restarted, a leg is lost")
        return GoneLeg(leg=end_as_lost(leg, self._alive_us.get(leg.key, 0)), reason=reason)


def _restarted(open_leg: OpenLeg, core: str) -> bool:
    return core not in ("", open_leg.leg.core)
