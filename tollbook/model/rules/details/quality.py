"""What the switch received from the party of a leg: how well, and in which codec."""

from typing import Final, Literal, TypeAlias

from tollbook.model.call_leg import CallLeg
from tollbook.model.leg_details import LegDetails
from tollbook.model.rules.decision import Decision

MosRule: TypeAlias = Literal["stated mos", "too few packets", "more skipped than received", "no mos"]
CodecRule: TypeAlias = Literal["stated codec", "media only passed through", "no codec"]

# Five seconds. Of a leg that received nothing FreeSWITCH says 4.50.
LEAST_PACKETS: Final = 250

_TOO_FEW: Final[Decision[float | None, MosRule]] = Decision(None, "too few packets")
_MOSTLY_SKIPPED: Final[Decision[float | None, MosRule]] = Decision(None, "more skipped than received")
_NO_MOS: Final[Decision[float | None, MosRule]] = Decision(None, "no mos")
_PASSED_THROUGH: Final[Decision[str | None, CodecRule]] = Decision(None, "media only passed through")
_NO_CODEC: Final[Decision[str | None, CodecRule]] = Decision(None, "no codec")


def decide_mos(leg: CallLeg) -> Decision[float | None, MosRule]:
    """Decide rx_mos: of a call, that of its root."""
    details = leg.outcome.details
    return _NO_MOS if details is None else mos_of(details)


def mos_of(details: LegDetails) -> Decision[float | None, MosRule]:
    """Decide the mean opinion score of what the switch received on a leg.

    Where more was skipped than received it means nothing: 2.63 at a loss of 80 %, after 2.11 at 50 %.
    """
    if not details.mos:
        return _NO_MOS
    if details.packets_in < LEAST_PACKETS:
        return _TOO_FEW
    return _MOSTLY_SKIPPED if details.packets_in < details.packets_skipped else Decision(details.mos, "stated mos")


def decide_codec(leg: CallLeg) -> Decision[str | None, CodecRule]:
    """Decide codec: of a call, that of its root."""
    details = leg.outcome.details
    if details is None or not details.codec:
        return _NO_CODEC
    return _PASSED_THROUGH if details.codec == "PROXY" else Decision(details.codec, "stated codec")
