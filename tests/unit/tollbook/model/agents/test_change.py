"""What is read of mod_callcenter's events and of its list of agents; names are bounded, and never cut."""

import pytest

from tollbook.model.agents.change import AgentChange, ListedAgent, changes_of, parse_agent_list
from tollbook.model.event import SwitchEvent

AT_US = 1_795_893_304_313_732

# As FreeSWITCH 1.11 prints it.
HEAD = (
    "name|instance_id|uuid|type|contact|status|state|max_no_answer|wrap_up_time|reject_delay_time|busy_delay_time"
    "|no_answer_delay_time|last_bridge_start|last_bridge_end|last_offered_call|last_status_change|no_answer_count"
    "|calls_answered|talk_time|ready_time|external_calls_count"
)
TAIL = "3|10|2|60|5|0|0|0|1795893304|0|0|0|0|0"


def event(action: str, agent: str = "agent4", *, at_us: int = AT_US, status: str = "", state: str = "") -> SwitchEvent:
    return SwitchEvent(
        name="CUSTOM", subclass="callcenter::info", cc_action=action, at_us=at_us, sequence=7,
        agent=agent, agent_status=status, agent_state=state,
    )  # fmt: skip


def test_a_status_and_a_state_are_two_things() -> None:
    assert changes_of(event("agent-status-change", status="On Break"), "fs1") == (
        AgentChange("fs1", "agent4", "status", AT_US, 7, "On Break"),
    )
    assert changes_of(event("agent-state-change", state="In a queue call"), "fs1") == (
        AgentChange("fs1", "agent4", "state", AT_US, 7, "In a queue call"),
    )


def test_a_new_agent_is_logged_out() -> None:
    changes = changes_of(event("agent-add"), "fs1")
    assert changes is not None
    assert [(change.kind, change.value) for change in changes] == [("status", "Logged Out"), ("state", "Waiting")]


@pytest.mark.parametrize("action", ["agent-offering", "bridge-agent-start", "agent-status-get", "members-count", ""])
def test_other_actions_say_nothing_of_a_state(action: str) -> None:
    assert changes_of(event(action, status="Available", state="Waiting"), "fs1") == ()


@pytest.mark.parametrize(
    "refused",
    [
        event("agent-status-change", "a" * 201, status="Available"),
        event("agent-status-change", status="x" * 65),
        event("agent-status-change", status=""),
        event("agent-state-change", at_us=0, state="Waiting"),
        event("agent-state-change", at_us=1 << 62, state="Waiting"),
    ],
)
def test_what_cannot_be_kept_is_refused(refused: SwitchEvent) -> None:
    """Two names that are cut could become one agent, and a state without a time has no place."""
    assert changes_of(refused, "fs1") is None


def test_the_list_is_read_whatever_stands_in_the_contact() -> None:
    """A dial string may hold the separator, and a name that does cannot pass for another agent."""
    lines = [
        HEAD,
        f"agent1|single_box||callback|[call_timeout=5]user/1001@127.0.0.1|Available|Waiting|{TAIL}",
        f"agent2|single_box||callback|user/1002|user/1003|On Break|Idle|{TAIL}",
        f"agent1|x|single_box||callback|user/1|Logged Out|Waiting|{TAIL}",
        f"|single_box||callback|user/1|Available|Waiting|{TAIL}",
        f"{'a' * 201}|single_box||callback|user/1|Available|Waiting|{TAIL}",
        "agent3|single_box||callback",
        f"sb|single_box|8df7caee|uuid-standby|(null)|Available (On Demand)|In a queue call|{TAIL}",
        "+OK",
    ]
    assert parse_agent_list("\n".join(lines) + "\n") == [
        ListedAgent("agent1", "Available", "Waiting"),
        ListedAgent("agent2", "On Break", "Idle"),
        ListedAgent("sb", "Available (On Demand)", "In a queue call"),
    ]


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "+OK\n",
        "-ERR callcenter_config Command not found!\n",
        f"{HEAD}\n+OK\n",
        f"{HEAD}\nagent1|single_box||callback|user/1|Available|Waiting|{TAIL}\n",
        "a|b\nc|d\n+OK\n",
    ],
)
def test_what_is_no_list_says_nothing(reply: str) -> None:
    """Nor does an empty one: a module whose database fails prints the same, and no agent is removed by it."""
    assert parse_agent_list(reply) is None
