"""What the end of a leg states beside the facts of its row: who hung up, its media, its holds, its queue's seconds."""

import re
from typing import Final

import msgspec

from tollbook.model.event import SwitchEvent
from tollbook.times import US_PER_SECOND, clock_us

# No header counts as far: 18 digits are all that is read of one.
_COUNT_UNTIL: Final = 10**18
_MOS: Final = re.compile(r"[1-5](?:\.[0-9]{1,4})?")


class LegDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What CHANNEL_HANGUP_COMPLETE, or a JSON CDR, states about a leg. Texts are '' and numbers 0 when absent.

    `hangup_disposition`: who ended the leg, as mod_sofia alone says it (recv_bye, send_cancel, …). `failure_status`:
    the final SIP response of a leg that was not answered. `mos`, `packets_in` and `packets_skipped`: of the audio
    that the switch received. `hold_events`: as the switch writes them. `cc_*_s`: epoch seconds.
    """

    hangup_disposition: str = ""
    failure_status: int = 0
    progress_media_us: int = 0
    codec: str = ""
    mos: float = 0.0
    packets_in: int = 0
    packets_skipped: int = 0
    hold_events: str = ""
    last_bridge_to: str = ""
    user_agent: str = ""
    cc_joined_s: int = 0
    cc_answered_s: int = 0
    cc_canceled_s: int = 0


def leg_details_of(event: SwitchEvent) -> LegDetails:
    """Return the details that the end of a leg states. Absurd numbers are 0."""
    mos, status = event.mos, event.failure_status
    packets_in, packets_skipped = event.packets_in, event.packets_skipped
    return LegDetails(
        hangup_disposition=event.hangup_disposition,
        failure_status=status if 100 <= status <= 699 else 0,
        progress_media_us=event.progress_media_us and clock_us(event.progress_media_us),
        codec=event.codec,
        mos=min(float(mos), 5.0) if mos and _MOS.fullmatch(mos) else 0.0,
        packets_in=packets_in if 0 <= packets_in < _COUNT_UNTIL else 0,
        packets_skipped=packets_skipped if 0 <= packets_skipped < _COUNT_UNTIL else 0,
        hold_events=event.hold_events,
        last_bridge_to=event.last_bridge_to,
        user_agent=event.user_agent,
        cc_joined_s=event.cc_joined_s and _second(event.cc_joined_s),
        cc_answered_s=event.cc_answered_s and _second(event.cc_answered_s),
        cc_canceled_s=event.cc_canceled_s and _second(event.cc_canceled_s),
    )


def _second(epoch_s: int) -> int:
    return epoch_s if clock_us(epoch_s * US_PER_SECOND) else 0
