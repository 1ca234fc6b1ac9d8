"""The agents of the simulated switch, as mod_callcenter keeps them: through the events that are played, or by a call.

They outlive a restart of the switch, whose module has them in a database of its own.
"""

from dataclasses import dataclass
from typing import Final

from tollbook.simulator.event import Header, Playable

SUBCLASS: Final = b"callcenter::info"
_LOGGED_OUT: Final = "Logged Out"
_WAITING: Final = "Waiting"

_COLUMNS: Final = (
    "name|instance_id|uuid|type|contact|status|state|max_no_answer|wrap_up_time|reject_delay_time|busy_delay_time"
    "|no_answer_delay_time|last_bridge_start|last_bridge_end|last_offered_call|last_status_change|no_answer_count"
    "|calls_answered|talk_time|ready_time|external_calls_count"
)


@dataclass(kw_only=True, slots=True)
class _Agent:
    status: str
    state: str = _WAITING


class AgentTable:
    """The agents by name."""

    def __init__(self) -> None:
        self._agents: dict[str, _Agent] = {}

    def note(self, event: Playable) -> None:
        """Take in an event that is played. An agent that is not known yet is one that takes calls."""
        if event.name != b"CUSTOM" or event.subclass != SUBCLASS or event.unique_id is not None:
            return
        said = {name: value.decode("utf-8", "replace") for name, value in event.headers(0) if name.startswith(b"CC-")}
        name, status, state = said.get(b"CC-Agent"), said.get(b"CC-Agent-Status"), said.get(b"CC-Agent-State")
        if name:
            agent = self._agents.setdefault(name, _Agent(status="Available"))
            agent.status, agent.state = status or agent.status, state or agent.state

    def add(self, name: str) -> list[Header]:
        """Add an agent, logged out; return the headers of the event."""
        self._agents[name] = _Agent(status=_LOGGED_OUT)
        return _headers(name, b"agent-add", b"CC-Agent-Type", "callback")

    def set_status(self, name: str, status: str) -> list[Header]:
        """Set an agent's status; return the headers of the event."""
        self._agents.setdefault(name, _Agent(status=status)).status = status
        return _headers(name, b"agent-status-change", b"CC-Agent-Status", status)

    def set_state(self, name: str, state: str) -> list[Header]:
        """Set an agent's state; return the headers of the event."""
        self._agents.setdefault(name, _Agent(status=_LOGGED_OUT)).state = state
        return _headers(name, b"agent-state-change", b"CC-Agent-State", state)

    def remove(self, name: str) -> None:
        """Remove an agent. mod_callcenter makes no event of that."""
        self._agents.pop(name, None)

    def print_list(self) -> bytes:
        """Return what `callcenter_config agent list` prints: no heading where there is no agent."""
        lines = [_COLUMNS] if self._agents else []
        lines += [
            f"{name}|single_box||callback|user/{name}|{agent.status}|{agent.state}|3|0|0|0|0|0|0|0|0|0|0|0|0|0"
            for name, agent in self._agents.items()
        ]
        return "\n".join([*lines, "+OK\n"]).encode()


def _headers(agent: str, action: bytes, name: bytes, value: str) -> list[Header]:
    return [(b"CC-Agent", agent.encode()), (b"CC-Action", action), (name, value.encode())]
