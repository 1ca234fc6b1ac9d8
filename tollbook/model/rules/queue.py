"""The queue that a call waited in, and the agent who took it: mod_callcenter and mod_fifo."""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from tollbook.model.call_leg import CallLeg
from tollbook.model.leg import Facts
from tollbook.model.rules.decision import Decision

QueueRule: TypeAlias = Literal[
    "queue of bridged agent", "queue of root", "fifo of root", "no queue of an agent's leg", "no queue"
]
AgentRule: TypeAlias = Literal[
    "bridged agent",
    "standby agent",
    "member that fifo rang",
    "no bridged agent",
    "no member answered",
    "no agent of an agent's leg",
    "no agent without a queue",
]

_Service: TypeAlias = tuple[Decision[str | None, QueueRule], Decision[str | None, AgentRule]]

_NO_QUEUE: Final[_Service] = (Decision(None, "no queue"), Decision(None, "no agent without a queue"))
_AGENTS_OWN_LEG: Final[_Service] = (
    Decision(None, "no queue of an agent's leg"),
    Decision(None, "no agent of an agent's leg"),
)
_NO_BRIDGED_AGENT: Final[Decision[str | None, AgentRule]] = Decision(None, "no bridged agent")
_NO_MEMBER_ANSWERED: Final[Decision[str | None, AgentRule]] = Decision(None, "no member answered")


def waits_in_queue(root: CallLeg) -> bool:
    """Whether a root is that of a caller in a queue, and not itself an agent's."""
    outcome = root.outcome
    return outcome.cc_side != "agent" and (bool(outcome.cc_queue) or _waits_in_fifo(outcome))


def is_agents(leg: CallLeg) -> bool:
    """Whether a leg was made for an agent of mod_callcenter or a member of mod_fifo."""
    return leg.outcome.cc_side == "agent" or bool(leg.origin.outbound and leg.origin.fifo_bridge)


def _waits_in_fifo(outcome: Facts) -> bool:
    return outcome.last_app == "fifo" and " in" in outcome.last_arg


def decide_queue(root: CallLeg, children: Sequence[CallLeg]) -> _Service:
    """Decide queue_id and agent_id. Of several agents who spoke to the caller the last one counts."""
    agents = [leg for leg in children if leg.outcome.cc_side == "agent"]
    bridged = [leg for leg in agents if leg.answered_us and leg.outcome.cc_agent_bridged]
    if bridged:
        last = bridged[-1]
        return (
            Decision(last.outcome.cc_queue or None, "queue of bridged agent", (last,)),
            Decision(last.outcome.cc_agent or None, "bridged agent", (last,)),
        )
    outcome = root.outcome
    if outcome.cc_side == "agent":
        return _AGENTS_OWN_LEG
    if outcome.cc_queue:
        # A standby agent's leg is a call of its own, so only the caller's leg says that one spoke to the caller.
        standby = not agents and (outcome.cc_agent_bridged or outcome.cc_cause == "answered")
        return (
            Decision(outcome.cc_queue, "queue of root"),
            Decision(outcome.cc_agent or None, "standby agent") if standby else _NO_BRIDGED_AGENT,
        )
    if _waits_in_fifo(outcome):
        fifo: Decision[str | None, QueueRule] = Decision(outcome.last_arg.split()[0], "fifo of root")
        for leg in children:
            if leg.answered_us and leg.origin.fifo_bridge:
                return fifo, Decision(leg.origin.dialed_user or None, "member that fifo rang", (leg,))
        return fifo, _NO_MEMBER_ANSWERED
    return _NO_QUEUE
