"""What waits of agents is bounded, and what is dropped is known to be unknown; a switch is asked, not trusted."""

from esl_listener.agents import AgentInbox, ServedAgents, ask_for_agents
from tollbook.model.agents.change import AgentChange, ListedAgent
from tollbook.model.event import SwitchEvent
from tollbook.store.agents.changes import AgentList, HearingBegan

AT_US = 1_795_893_304_313_732
LIST = "name|instance_id|uuid|type|contact|status|state\nbob|single_box||callback|user/1|Available|Waiting\n+OK\n"


def change(number: int) -> AgentChange:
    return AgentChange("fs1", "bob", "state", AT_US + number, number, "Waiting")


def listed(at_us: int) -> AgentList:
    return AgentList(switch="fs1", at_us=at_us, agents=[ListedAgent("bob", "Available", "Waiting")])


def test_what_has_no_room_becomes_a_gap() -> None:
    """It begins with the first that was dropped, and no list from before ends it; later there is room again."""
    inbox = AgentInbox(max_changes=2)
    inbox.put_list(listed(AT_US))
    assert inbox.put("a", [change(number) for number in range(5)]) == 3
    news = inbox.take()
    assert [heard.sequence for heard in news.changes] == [0, 1]
    assert news.began == [HearingBegan(address="a", heard_us=AT_US + 2)]
    assert news.lists == []
    assert not inbox.take()
    assert inbox.put("a", [change(9)]) == 0


def test_what_could_not_be_written_comes_first_again() -> None:
    """And of two lists of a switch the newer counts."""
    inbox = AgentInbox()
    inbox.begin("a", 1)
    inbox.put("a", [change(1)])
    inbox.put_list(listed(AT_US))
    news = inbox.take()
    inbox.begin("a", 2)
    inbox.put("a", [change(2)])
    inbox.put_list(listed(AT_US + 1))
    inbox.put_back(news)
    again = inbox.take()
    assert [heard.sequence for heard in again.changes] == [1, 2]
    assert [began.heard_us for began in again.began] == [1, 2]
    assert again.lists == [listed(AT_US + 1)]


def test_a_switch_that_flaps_hides_no_gap_of_another() -> None:
    """While PostgreSQL is away: when each was first not heard is kept, and it is bounded of each."""
    inbox = AgentInbox()
    inbox.begin("quiet", 1)
    for number in range(5_000):
        inbox.begin("flapping", number)
    heard = [(began.address, began.heard_us) for began in inbox.take().began]
    assert heard[:2] == [("quiet", 1), ("flapping", 0)]
    assert heard[-1] == ("flapping", 4_999)
    assert len(heard) < 100


def test_for_whom_an_agent_works_is_noted_once_a_day() -> None:
    served = ServedAgents()
    event = SwitchEvent(cc_action="bridge-agent-start", agent="bob", account="acme", at_us=AT_US)
    for _ in range(3):
        served.add_phone(event, "fs1")
    served.add_phone(SwitchEvent(cc_action="bridge-agent-start", agent="eve", at_us=AT_US), "fs1")
    served.add_phone(SwitchEvent(cc_action="bridge-agent-end", agent="eve", account="acme", at_us=AT_US), "fs1")
    assert [(said.agent, said.account_id) for said in served.waiting] == [("bob", "acme")]
    served.written(1)
    assert served.waiting == []


def test_a_switch_is_asked_for_its_agents() -> None:
    """Its clock first, so that what is heard after it counts more than the list; without one, its last event's time."""
    asked: list[str] = []

    def api(command: str, clock: str = str(AT_US), name: str = "fs1", agents: str = LIST) -> str:
        asked.append(command)
        return {"switchname": name, "strmicroepoch": clock}.get(command, agents)

    assert ask_for_agents(api, 5) == listed(AT_US)
    assert asked == ["switchname", "strmicroepoch", "callcenter_config agent list"]
    assert ask_for_agents(lambda command: api(command, clock="-ERR no such command"), 5) == listed(5)
    for refused in (
        ask_for_agents(lambda command: api(command, clock=""), 0),
        ask_for_agents(lambda command: api(command, name="-ERR switchname Command not found!"), 5),
        ask_for_agents(lambda command: api(command, name="x" * 300), 5),
        ask_for_agents(lambda command: api(command, agents="-ERR callcenter_config Command not found!"), 5),
    ):
        assert refused is None
