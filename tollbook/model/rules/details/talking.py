"""How long the agent of a queue who took a call talked with its caller."""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from tollbook.model.call_leg import CallLeg
from tollbook.model.rules.decision import Decision
from tollbook.model.rules.details.waiting import NotedLegs
from tollbook.model.rules.queue import AgentRule
from tollbook.times import US_PER_SECOND

TalkRule: TypeAlias = Literal[
    "while the agent's leg was up",
    "from the standby agent on",
    "by the switch's seconds",
    "no agent",
    "no beginning of the talk",
]
_Talk: TypeAlias = Decision[int | None, TalkRule]

_NO_AGENT: Final[_Talk] = Decision(None, "no agent")
_NO_BEGINNING: Final[_Talk] = Decision(None, "no beginning of the talk")


def decide_talk(root: CallLeg, agent: Decision[str | None, AgentRule], noted: NotedLegs) -> _Talk:
    """Decide talk_ms: of the agent whom agent_id names, as `rules/queue.py` chose the leg.

    A standby agent's leg is a call of its own, so that talk is dated from the caller's side: until the caller left the
    queue, was in one again, or hung up.
    """
    if agent.legs:
        (leg,) = agent.legs
        return _span(leg.answered_us, leg.outcome.hangup_us, leg, "while the agent's leg was up")
    if agent.rule != "standby agent":
        return _NO_AGENT
    bridged_us = max((at_us for _, notes in noted for at_us in notes.bridged_us), default=0)
    if bridged_us:
        joined_us = [at_us for _, notes in noted for at_us in notes.joined_us]
        return _with_standby_agent(root, noted, bridged_us, joined_us, "from the standby agent on")
    details = root.outcome.details
    if details is None or not details.cc_answered_s:
        return _NO_BEGINNING
    # A visit that no agent ended has its second of joining beside that of the answer to the visit before.
    answered_us, joined_us = details.cc_answered_s * US_PER_SECOND, [details.cc_joined_s * US_PER_SECOND]
    return _with_standby_agent(root, noted, answered_us, joined_us, "by the switch's seconds")


def _with_standby_agent(
    root: CallLeg, noted: NotedLegs, from_us: int, joined_us: Sequence[int], rule: TalkRule
) -> _Talk:
    # The switch says that a caller left the queue when the agent is no longer connected: after a transfer, too.
    left = [at_us for _, notes in noted for at_us in notes.left_us if at_us >= from_us]
    again = [at_us for at_us in joined_us if at_us > from_us]
    return _span(from_us, min([*left, *again, root.outcome.hangup_us]), root, rule)


def _span(from_us: int, until_us: int, leg: CallLeg, rule: TalkRule) -> _Talk:
    # Never below 0: a switch's clock can be set back, and whole seconds are rounded.
    return Decision(max(0, until_us - from_us) // 1000, rule, (leg,))
