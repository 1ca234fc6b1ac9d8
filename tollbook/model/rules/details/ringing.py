"""How long the caller waited for ringing, and how long it rang."""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from tollbook.model.call_leg import CallLeg
from tollbook.model.rules.decision import Decision

RingingRule: TypeAlias = Literal[
    "first called leg that rang", "far leg of an originate", "no called leg rang", "rang after the answer"
]
_Delay: TypeAlias = Decision[int | None, RingingRule]
_Ringing: TypeAlias = tuple[_Delay, _Delay]

_NOBODY_RANG: Final[_Delay] = Decision(None, "no called leg rang")
_TOO_LATE: Final[_Delay] = Decision(None, "rang after the answer")
# Their times are those of the dialplan behind them, or of who picks up: nobody was called there.
_NOBODY_CALLED: Final = ("loopback/", "pickup/")


def decide_ringing(root: CallLeg, children: Sequence[CallLeg]) -> _Ringing:
    """Decide pdd_ms and ring_ms: from the first sign of life of whoever was called."""
    first: CallLeg | None = None
    first_us = 0
    for leg in children:
        sign_us = rang_us(leg)
        if sign_us and (first is None or sign_us < first_us) and not leg.origin.channel.startswith(_NOBODY_CALLED):
            first, first_us = leg, sign_us
    if first is None:
        return _NOBODY_RANG, _NOBODY_RANG
    # An originate's caller is who was rung first, and has answered when the far leg is made.
    begun, rule = (first, "far leg of an originate") if root.origin.outbound else (root, "first called leg that rang")
    until_us = begun.answered_us or begun.outcome.hangup_us
    # A clock that was set back meanwhile makes no delay below 0.
    if not begun.began_us <= first_us <= until_us:
        return _TOO_LATE, _TOO_LATE
    legs = (first,)
    return (
        Decision((first_us - begun.began_us) // 1000, rule, legs),
        Decision((until_us - first_us) // 1000, rule, legs),
    )


def own_delay_ms(leg: CallLeg) -> int | None:
    """Return after how many ms a leg rang, sent early media or answered, whichever was first, from its own creation.

    None if it never did, or if the clock was set back meanwhile.
    """
    sign_us = rang_us(leg)
    return (sign_us - leg.began_us) // 1000 if sign_us >= leg.began_us else None


def rang_us(leg: CallLeg) -> int:
    """Return when a leg rang, sent early media or answered, whichever was first; 0 for never."""
    outcome = leg.outcome
    sign_us = outcome.progress_us
    media_us = outcome.details.progress_media_us if outcome.details is not None else 0
    if media_us and (not sign_us or media_us < sign_us):
        sign_us = media_us
    answered_us = leg.answered_us
    return answered_us if answered_us and (not sign_us or answered_us < sign_us) else sign_us
