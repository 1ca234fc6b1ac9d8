"""What a switch says of an agent: its status or its state, from an instant on.

mod_callcenter keeps the two apart. The status is what the agent wants (Available, On Break, Logged Out), the state what
it is doing (Waiting, Receiving, In a queue call). An event names one of them, and never what it was before.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from tollbook.model.event import SwitchEvent, tidy_text
from tollbook.times import clock_us

#: Names come from the configuration of the switch, in a multi-tenant one from the tenants. A longer one is refused
#: and not cut: two that are cut could become one agent.
LONGEST_AGENT: Final = 200
#: The longest of mod_callcenter's own is "Available (On Demand)".
LONGEST_VALUE: Final = 64
#: Of a longer list the rest is left out, and no agent of it counts as removed.
MOST_AGENTS: Final = 10_000

LOGGED_OUT: Final = "Logged Out"
WAITING: Final = "Waiting"

#: What a change is about; `removed`: the switch no longer has the agent.
ChangeKind: TypeAlias = Literal["status", "state", "removed"]

_SUBCLASS: Final = "callcenter::info"
# What `callcenter_config agent list` prints before the contact, which may hold the separator itself, and after it.
_BEFORE_CONTACT: Final = ["name", "instance_id", "uuid", "type", "contact"]
_TYPES: Final = frozenset(("callback", "uuid-standby"))
_END: Final = "+OK"


class AgentChange(NamedTuple):
    """From `at_us` on (epoch µs of the switch's clock) an agent's status or state is `value`.

    `sequence`: the event's number, which orders what has the same time; 0 of what a list says.
    """

    switch: str
    agent: str
    kind: ChangeKind
    at_us: int
    sequence: int
    value: str


class ListedAgent(NamedTuple):
    """An agent as the switch lists it."""

    agent: str
    status: str
    state: str


def changes_of(event: SwitchEvent, switch: str) -> tuple[AgentChange, ...] | None:
    """Return what an event says of an agent's status or state; None for one that says it and cannot be taken.

    Which is one without a time, or with a name or a value that is too long.
    """
    if event.subclass != _SUBCLASS or not event.agent:
        return ()
    said: dict[ChangeKind, str]
    match event.cc_action:
        case "agent-status-change":
            said = {"status": event.agent_status}
        case "agent-state-change":
            said = {"state": event.agent_state}
        case "agent-add":  # mod_callcenter makes every agent so, and the event does not say it
            said = {"status": LOGGED_OUT, "state": WAITING}
        case _:
            return ()
    at_us = clock_us(event.at_us)
    if not at_us or len(event.agent) > LONGEST_AGENT or not all(0 < len(said[kind]) <= LONGEST_VALUE for kind in said):
        return None
    sequence = event.sequence if 0 < event.sequence < 1 << 63 else 0
    return tuple(AgentChange(switch, event.agent, kind, at_us, sequence, value) for kind, value in said.items())


def parse_agent_list(reply: str) -> list[ListedAgent] | None:
    """Return the agents in the reply to `callcenter_config agent list`; None when it is none, or does not end.

    An empty list is None too: a module whose database fails prints the same. Lines that cannot be read are left out.
    """
    lines = tidy_text(reply).strip().split("\n")
    if len(lines) < 2 or lines[-1].strip() != _END:
        return None
    names = lines[0].split("|")
    if names[: len(_BEFORE_CONTACT)] != _BEFORE_CONTACT or not {"status", "state"} < {*names}:
        return None
    found = [_listed(line.split("|"), names) for line in lines[1:-1]]
    return [agent for agent in found if agent is not None] or None


def _listed(fields: Sequence[str], names: Sequence[str]) -> ListedAgent | None:
    # A separator in the name moves all that follows, and then the type is no type.
    if len(fields) < len(names) or fields[_BEFORE_CONTACT.index("type")] not in _TYPES:
        return None
    status, state = (fields[names.index(name) - len(names)] for name in ("status", "state"))
    if not 0 < len(fields[0]) <= LONGEST_AGENT or not all(0 < len(value) <= LONGEST_VALUE for value in (status, state)):
        return None
    return ListedAgent(fields[0], status, state)
