"""Whose an agent is: what says so, in which order, and that nobody gets another's."""

from typing import Literal

from tests.commands import Tollbook
from tollbook.model.agents.change import MOST_AGENTS, AgentChange, ListedAgent
from tollbook.store.agents.accounts import Served, list_agents, note_served
from tollbook.store.agents.changes import AgentList, AgentNews, HearingBegan, write_news
from tollbook.store.agents.days import drop_changes
from tollbook.store.agents.read import read_histories
from tollbook.store.calls.switch_processes import SwitchProcess, note
from tollbook.store.database import Connection, scalar
from tollbook.times import MS_PER_DAY

AT_US = 1_795_893_304_313_732
AT_MS = AT_US // 1000


def hear(database: Connection, *agents: str, switch: str = "fs1") -> None:
    changes = [AgentChange(switch, agent, "status", AT_US, number, "Available") for number, agent in enumerate(agents)]
    write_news(database, AgentNews(changes=changes))
    database.commit()


def owners(database: Connection, switch: str = "fs1") -> dict[str, tuple[str | None, str | None]]:
    database.rollback()
    return {
        known.agent: (known.account_id, known.account_by) for known in list_agents(database) if known.switch == switch
    }


def serve(
    database: Connection, agent: str, account: str, evidence: Literal["phone", "calls"] = "calls", switch: str = "fs1"
) -> None:
    note_served(database, [Served(switch, agent, evidence, account, AT_MS)])
    database.commit()


def test_a_call_from_outside_says_for_whom_an_agent_works(database: Connection) -> None:
    """As long as it is one account; of the agent with the same name on another switch it says nothing."""
    hear(database, "agent1")
    hear(database, "agent1", switch="fs2")
    assert owners(database) == {"agent1": (None, None)}
    serve(database, "agent1", "acme")
    serve(database, "agent1", "globex", switch="fs2")
    assert owners(database) == {"agent1": ("acme", "calls")}
    assert owners(database, "fs2") == {"agent1": ("globex", "calls")}
    serve(database, "agent1", "globex")
    assert owners(database) == {"agent1": (None, None)}


def test_its_phone_says_it_better(database: Connection) -> None:
    """Whoever's calls it handles; two accounts' phones say nothing, and calls do not decide between them."""
    hear(database, "agent1")
    serve(database, "agent1", "globex")
    serve(database, "agent1", "acme", "phone")
    assert owners(database) == {"agent1": ("acme", "phone")}
    serve(database, "agent1", "globex", "phone")
    assert owners(database) == {"agent1": (None, None)}


def test_a_domain_that_is_an_account_says_it_at_once(database: Connection, tollbook: Tollbook) -> None:
    """Before any call, and whatever calls say. A part of a domain, or a domain that is no account, is nothing."""
    tollbook("account", "add", "acme.example")
    hear(database, "bob@acme.example", "bob@xacme.example", "acme.example", "eve@acme.example@globex.example", "bob@")
    assert {agent for agent, (account, _) in owners(database).items() if account} == {"bob@acme.example"}
    serve(database, "bob@acme.example", "globex")
    assert owners(database)["bob@acme.example"] == ("acme.example", "domain")


def test_the_operators_word_goes_before_all(database: Connection, tollbook: Tollbook) -> None:
    """One name before a whole domain; taken back, the others decide again."""
    for account in ("acme", "globex", "shop.example"):
        tollbook("account", "add", account)
    hear(database, "agent1", "bob@shop.example", "eve@shop.example")
    serve(database, "agent1", "globex", "phone")
    done = tollbook("account", "agent", "add", "acme", "agent1", "@shop.example")
    assert done.stdout == "2 agents or domains belong to acme\n"
    tollbook("account", "agent", "add", "globex", "eve@shop.example")
    assert owners(database) == {
        "agent1": ("acme", "operator"), "bob@shop.example": ("acme", "operator"),
        "eve@shop.example": ("globex", "operator"),
    }  # fmt: skip
    listed = tollbook("account", "agent", "list").stdout
    assert "fs1\tagent1\tacme\toperator\n" in listed
    assert "said\t@shop.example\tacme\n" in listed
    done = tollbook("account", "agent", "remove", "acme", "agent1", "eve@shop.example")
    assert done.stdout == "1 agents or domains are no longer said to be acme's\n"
    assert owners(database)["agent1"] == ("globex", "phone")
    refused = tollbook("account", "agent", "add", "nobody", "agent1")
    assert (refused.returncode, "there is no account 'nobody'" in refused.stderr) == (64, True)
    assert tollbook("account", "agent", "add", "acme", "x" * 300).returncode == 64


def test_what_is_older_than_the_window_says_nothing(database: Connection) -> None:
    """As soon as it is dropped, and not with whatever changes next: who served two accounts is now the later one's."""
    database.autocommit = True
    hear(database, "agent1", "agent2")
    for agent, account, days in (("agent1", "acme", 40), ("agent1", "globex", 0), ("agent2", "acme", 40)):
        note_served(database, [Served("fs1", agent, "calls", account, AT_MS - days * MS_PER_DAY)])
    assert owners(database) == {"agent1": (None, None), "agent2": ("acme", "calls")}
    day = AT_MS // MS_PER_DAY
    database.execute("UPDATE agent_window SET open_day = %s", (day,))
    drop_changes(database, day - 30)
    assert owners(database) == {"agent1": ("globex", "calls"), "agent2": (None, None)}


def test_who_comes_from_another_account_leaves_the_past_there(database: Connection, tollbook: Tollbook) -> None:
    """An agent that was nobody's brings its past along; one that was another's does not."""
    for account in ("acme", "globex"):
        tollbook("account", "add", account)
    hear(database, "agent1")
    tollbook("account", "agent", "add", "acme", "agent1")
    assert scalar(database, "SELECT own_since FROM agent") == 0
    database.rollback()
    tollbook("account", "agent", "add", "globex", "agent1")
    assert scalar(database, "SELECT own_since > 1700000000000 FROM agent")


def test_a_switch_that_names_agents_without_end_gets_a_bounded_number(database: Connection) -> None:
    """Those that were known before go on; of the others nothing is kept, and it is counted."""
    hear(database, "bob")
    many = [AgentChange("fs1", f"x{number:06}", "status", AT_US, number, "Available") for number in range(MOST_AGENTS)]
    bob = AgentChange("fs1", "bob", "status", AT_US + 1, 1, "On Break")
    other = AgentChange("fs2", "eve", "status", AT_US, 1, "Available")
    assert write_news(database, AgentNews(changes=[*many, bob, other])) == 1
    assert scalar(database, "SELECT count(*) FROM agent WHERE switch = 'fs1'") == MOST_AGENTS
    assert scalar(database, "SELECT count(*) FROM agent_state WHERE agent = 'bob'") == 2
    assert scalar(database, "SELECT count(*) FROM agent WHERE switch = 'fs2'") == 1
    listed = [ListedAgent(f"y{number:06}", "Available", "Waiting") for number in range(MOST_AGENTS + 1)]
    write_news(database, AgentNews(lists=[AgentList(switch="fs1", at_us=AT_US + 2, agents=listed)]))
    assert scalar(database, "SELECT count(*) FROM agent WHERE switch = 'fs1'") == MOST_AGENTS
    assert scalar(database, "SELECT count(*) FROM agent_state WHERE kind = 'removed'") == 0  # it was cut off


def test_hostile_names_are_names(database: Connection) -> None:
    """Quotes, braces, backslashes, line ends and U+FFFD for what was NUL come back as they were."""
    names = ['a"b', "{a,b}", "a\\b", "a\nb", "null", "a\ufffdb", "'; DROP TABLE agent; --", "ü€😀", "%s", "a|b"]
    hear(database, *names)
    assert sorted(history.agent for history in read_histories(database, AT_MS - 1000, AT_MS + 1000)) == sorted(names)


def test_a_gap_in_which_nothing_was_heard_goes_on(database: Connection) -> None:
    """Cut off twice without a sign of life between: the list between the two says nothing of what came after it."""
    hear(database, "bob")
    note(database, [SwitchProcess(core="c", address="a", switch="fs1", sequence=1, seen_us=AT_US)])
    began = AgentNews(began=[HearingBegan(address="a")])
    agents = [ListedAgent("bob", "Available", "Waiting")]
    write_news(database, began)
    write_news(database, AgentNews(lists=[AgentList(switch="fs1", at_us=AT_US + 5, agents=agents)]))
    write_news(database, began)
    assert database.execute("SELECT from_us, until_us FROM agent_gap").fetchall() == [(AT_US, None)]
    write_news(database, AgentNews(lists=[AgentList(switch="fs1", at_us=AT_US + 9, agents=agents)]))
    assert database.execute("SELECT from_us, until_us FROM agent_gap").fetchall() == [(AT_US, AT_US + 9)]
