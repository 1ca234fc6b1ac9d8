"""When the conversation of a call began."""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from tollbook.model.call_leg import CallLeg
from tollbook.model.rules.decision import Decision
from tollbook.model.vocabulary import Direction

AnswerRule: TypeAlias = Literal[
    "root answered",
    "root not answered",
    "far end answered",
    "far end answered before root",
    "far end not answered",
]

_ROOT_NOT_ANSWERED: Final[Decision[int, AnswerRule]] = Decision(0, "root not answered")


def decide_answer(root: CallLeg, direction: Direction, off_net: Sequence[CallLeg]) -> Decision[int, AnswerRule]:
    """Decide when the conversation began: epoch µs, 0 if it never did.

    Of an outbound call with off-net legs the far end's answer counts: the later of the root's and the first of theirs.
    """
    if direction != "outbound" or not off_net:
        return Decision(root.answered_us, "root answered") if root.answered_us else _ROOT_NOT_ANSWERED
    answered = [leg for leg in off_net if leg.answered_us]
    if not answered:
        return Decision(0, "far end not answered", tuple(off_net))
    first = min(answered, key=lambda leg: leg.answered_us) if len(answered) > 1 else answered[0]
    if root.answered_us > first.answered_us:
        return Decision(root.answered_us, "far end answered before root", (first,))
    return Decision(first.answered_us, "far end answered", (first,))
