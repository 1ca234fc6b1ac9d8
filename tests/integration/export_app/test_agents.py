"""`GET /v1/agents`: never another account's agents; figures against figures by hand, of open and of closed days."""

import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from export_app.agents.schema import AgentList
from maintenance.agents.close import spans_of_day
from tollbook.model.agents.change import AgentChange, ChangeKind
from tollbook.model.agents.figures import AgentSums, AgentTime
from tollbook.store import keys
from tollbook.store.agents.accounts import Served, add_rules, note_served
from tollbook.store.agents.changes import AgentNews, write_news
from tollbook.store.agents.days import close_day, drop_changes, first_open_day
from tollbook.store.calls.switch_processes import SwitchProcess, note
from tollbook.store.database import Connection
from tollbook.times import MS_PER_DAY

Ask = Callable[..., TestResponse]

# A day that is long over, so that no figure depends on now.
DAY = 20_400
MIDNIGHT = DAY * MS_PER_DAY
HOUR = 3_600_000
IN_CALL = "In a queue call"


@pytest.fixture
def agents_key(accounts: Connection) -> str:
    """A key of acme that may read agents, and nothing else."""
    return keys.create(accounts, account_id="acme", scopes=["agents"])[1]


@pytest.fixture
def others_key(accounts: Connection) -> str:
    """The same of the other account."""
    return keys.create(accounts, account_id="other", scopes=["agents"])[1]


@pytest.fixture
def agents_of(client: FlaskClient) -> Callable[..., list[dict[str, Any]]]:
    """Ask for agents; return them, after the answer has been checked against its model."""

    def ask(secret: str, **parameters: object) -> list[dict[str, Any]]:
        query = {name: str(value) for name, value in parameters.items()}
        response = client.get("/v1/agents", query_string=query, headers={"x-api-key": secret})
        assert response.status_code == 200, response.text
        body = msgspec.json.decode(response.data)
        AgentList.model_validate(body)
        assert body["count"] == len(body["agents"])
        return body["agents"]

    return ask


def say(
    connection: Connection, agent: str, at_ms: int, kind: ChangeKind, value: str, switch: str = "fs1", number: int = 1
) -> None:
    change = AgentChange(switch, agent, kind, at_ms * 1000, number, value)
    write_news(connection, AgentNews(changes=[change]))


def heard(connection: Connection, seen_ms: int) -> None:
    """Let the switch have been heard last at a time."""
    process = SwitchProcess(core="c", address="a", switch="fs1", sequence=seen_ms, seen_us=seen_ms * 1000)
    note(connection, [process])


def work(connection: Connection, agent: str, switch: str = "fs1", midnight: int = MIDNIGHT) -> None:
    """A shift from 8 to 17 with an hour's break, and two calls of an hour in all, the first from 9:00 to 9:45."""
    for hour, kind, value in (
        (8, "status", "Available"), (8, "state", "Waiting"), (9, "state", IN_CALL), (9.75, "state", "Waiting"),
        (12, "status", "On Break"), (13, "status", "Available"), (14, "state", "Receiving"), (14.25, "state", IN_CALL),
        (14.5, "state", "Waiting"), (17, "status", "Logged Out"),
    ):  # fmt: skip
        say(connection, agent, midnight + int(hour * HOUR), kind, value, switch)  # type: ignore[arg-type]


SHIFT = {
    "ready": int(6.75 * HOUR), "offering": HOUR // 4, "incall": HOUR, "wrapup": 0, "idle": 0, "paused": HOUR,
    "offline": 7 * HOUR, "unknown": 0,
}  # fmt: skip


def test_no_account_sees_anothers_agents(
    accounts: Connection,
    agents_key: str,
    others_key: str,
    operator_key: str,
    agents_of: Callable[..., list[dict[str, Any]]],
) -> None:
    """Nor those of which nothing says whose they are, nor one with the same name on another switch.

    Whatever is asked for: a name, a time, days that are closed. Only the operator sees all.
    """
    for agent, switch in (("bob", "fs1"), ("bob", "fs2"), ("eve", "fs1"), ("joe", "fs1"), ("ann@other", "fs1")):
        work(accounts, agent, switch)
    note_served(accounts, [Served("fs1", "bob", "phone", "acme", MIDNIGHT)])
    note_served(accounts, [Served("fs2", "bob", "calls", "other", MIDNIGHT)])
    note_served(accounts, [Served("fs1", "eve", "calls", "acme", MIDNIGHT), Served("fs1", "eve", "calls", "other", 1)])

    def seen(secret: str, **parameters: object) -> list[tuple[str, str]]:
        found = agents_of(secret, since=MIDNIGHT, until=MIDNIGHT + MS_PER_DAY, **parameters)
        return [(agent["switch"], agent["agent_id"]) for agent in found]

    def check() -> None:
        assert seen(agents_key) == [("fs1", "bob")]
        assert seen(others_key) == [("fs1", "ann@other"), ("fs2", "bob")]
        assert seen(agents_key, agent_id="bob") == [("fs1", "bob")]
        assert seen(agents_key, userId="eve") == seen(agents_key, agent_id="ann@other") == []
        assert len(seen(operator_key)) == 5
        assert seen(operator_key, account="acme") == [("fs1", "bob")]

    check()
    close(accounts, DAY)
    check()
    drop_changes(accounts, DAY + 1)
    check()


def close(connection: Connection, day: int) -> None:
    """Close a day as `archive run` does, but for the archive."""
    close_day(connection, day, [agent for agent, _ in spans_of_day(connection, day)])


def test_an_agent_that_changes_sides_leaves_the_past(
    accounts: Connection, agents_key: str, others_key: str, agents_of: Callable[..., list[dict[str, Any]]]
) -> None:
    """What it did for acme is acme's, and never the next one's: of a closed day by name, of an open one nobody's."""
    now_ms = time.time_ns() // 1_000_000
    midnight = (now_ms // MS_PER_DAY - 3) * MS_PER_DAY
    work(accounts, "bob", midnight=midnight)
    add_rules(accounts, "acme", ["bob"])
    close(accounts, midnight // MS_PER_DAY)
    work(accounts, "bob", midnight=midnight + MS_PER_DAY)
    add_rules(accounts, "other", ["bob"])
    time.sleep(0.01)
    (mine,) = agents_of(agents_key, since=midnight, until=now_ms)
    assert mine["statusMs"] == SHIFT
    (others,) = agents_of(others_key, since=midnight)
    assert others["statusMs"]["incall"] == 0
    assert sum(others["statusMs"].values()) < HOUR


def test_the_figures_of_a_shift(
    accounts: Connection, agents_key: str, agents_of: Callable[..., list[dict[str, Any]]]
) -> None:
    """By hand, and the same when the day is closed and what was said of it is dropped."""
    work(accounts, "bob")
    add_rules(accounts, "acme", ["bob"])

    def ask(since: int = MIDNIGHT, until: int = MIDNIGHT + MS_PER_DAY) -> dict[str, Any]:
        (agent,) = agents_of(agents_key, since=since, until=until)
        return agent

    wanted = {
        "agent_id": "bob", "userId": "bob", "switch": "fs1", "account_id": "acme", "statusMs": SHIFT,
        "loggedInMs": 9 * HOUR, "handleMs": HOUR, "occupancyPct": 13, "utilizationPct": 11, "handled": 2,
    }  # fmt: skip
    found = ask()
    assert {name: found[name] for name in wanted} == wanted
    assert (found["status"], found["state"], found["state_ts"]) == ("Logged Out", "Waiting", MIDNIGHT + 17 * HOUR)
    assert ask(until=MIDNIGHT + 9 * HOUR + HOUR // 2)["state"] == IN_CALL
    assert ask(since=MIDNIGHT + 9 * HOUR + 1)["handled"] == 1  # the first call had begun
    part = ask(MIDNIGHT + 10 * HOUR, MIDNIGHT + 13 * HOUR)
    assert {name: ms for name, ms in part["statusMs"].items() if ms} == {"ready": 2 * HOUR, "paused": HOUR}
    close(accounts, DAY)
    found = ask()
    assert {name: found[name] for name in wanted} == wanted
    assert ask(MIDNIGHT + 10 * HOUR, MIDNIGHT + 13 * HOUR) == part
    # The day and the hours around it: sums and what was said, together.
    wide = ask(MIDNIGHT - HOUR, MIDNIGHT + MS_PER_DAY + HOUR)
    assert wide["statusMs"] == {**SHIFT, "offline": SHIFT["offline"] + HOUR}
    heard(accounts, time.time_ns() // 1_000_000)
    drop_changes(accounts, DAY + 1)
    found = ask()
    assert {name: found[name] for name in wanted} == wanted
    # What held at the cut still holds.
    assert ask(MIDNIGHT + MS_PER_DAY, MIDNIGHT + MS_PER_DAY + HOUR)["statusMs"]["offline"] == HOUR


def test_a_part_of_a_dropped_day_is_refused(accounts: Connection, agents_key: str, client: FlaskClient) -> None:
    work(accounts, "bob")
    add_rules(accounts, "acme", ["bob"])
    close(accounts, DAY)
    drop_changes(accounts, DAY + 1)
    response = client.get(
        f"/v1/agents?since={MIDNIGHT + 1}&until={MIDNIGHT + MS_PER_DAY}", headers={"x-api-key": agents_key}
    )
    assert (response.status_code, response.get_json()["code"]) == (422, "not_kept")
    assert "midnight in UTC" in response.get_json()["message"]


def test_who_is_not_heard_is_unknown(
    accounts: Connection, agents_key: str, agents_of: Callable[..., list[dict[str, Any]]]
) -> None:
    """A minute after the last sign of life of its switch, until it is heard again."""
    now_ms = time.time_ns() // 1_000_000
    say(accounts, "bob", now_ms - 2 * HOUR, "status", "Available")
    say(accounts, "bob", now_ms - 2 * HOUR, "state", "Waiting")
    add_rules(accounts, "acme", ["bob"])

    heard(accounts, now_ms - HOUR)
    (agent,) = agents_of(agents_key, since=now_ms - 2 * HOUR)
    assert agent["statusMs"]["ready"] == HOUR
    assert agent["statusMs"]["unknown"] >= HOUR
    assert (agent["status"], agent["state"]) == (None, None)
    heard(accounts, now_ms)
    (agent,) = agents_of(agents_key, since=now_ms - 2 * HOUR)
    assert agent["statusMs"]["unknown"] == 0
    assert (agent["status"], agent["state"]) == ("Available", "Waiting")
    assert agent["state_ts"] == now_ms - 2 * HOUR


def test_what_is_refused(ask: Ask, key: str, agents_key: str) -> None:
    """A key without the scope, times in the wrong order, an empty name, and the account of somebody else."""
    assert ask(key, path="/v1/agents").get_json()["code"] == "missing_scope"
    assert ask(None, path="/v1/agents").status_code == 401
    for wrong in (
        {"since": 2, "until": 1}, {"agent_id": ""}, {"agent": "a"}, {"limit": 0},
    ):  # fmt: skip
        assert ask(agents_key, path="/v1/agents", **wrong).status_code == 400
    assert ask(agents_key, path="/v1/agents", account="other").get_json()["code"] == "operator_only"
    # No agent has two names.
    assert ask(agents_key, path="/v1/agents", agent_id="a", userId="b").get_json()["agents"] == []


def test_a_list_is_bounded(
    accounts: Connection, operator_key: str, ask: Ask, agents_of: Callable[..., list[dict[str, Any]]]
) -> None:
    for agent in ("a", "b", "c"):
        say(accounts, agent, MIDNIGHT, "status", "Available")
    answer = ask(operator_key, path="/v1/agents", limit=2, since=MIDNIGHT, until=MIDNIGHT + 1).get_json()
    assert [agent["agent_id"] for agent in answer["agents"]] == ["a", "b"]
    assert answer["more"] is True
    assert len(agents_of(operator_key, since=MIDNIGHT, until=MIDNIGHT + 1)) == 3


def test_what_comes_for_a_closed_day_is_late(accounts: Connection) -> None:
    """Its sums are kept as they were archived."""
    work(accounts, "bob")
    assert first_open_day(accounts) == DAY
    close_day(accounts, DAY, [AgentTime("fs1", "bob", None, AgentSums(ms={"ready": 1}))])
    say(accounts, "bob", MIDNIGHT + 5 * HOUR, "status", "On Break", number=9)
    count = accounts.execute("SELECT count(*) FROM agent_state WHERE value = 'On Break'").fetchone()
    assert count == (1,)
    close_day(accounts, DAY, [AgentTime("fs1", "bob", None, AgentSums(ms={"ready": 2}))])
    assert accounts.execute("SELECT ready_ms FROM agent_day").fetchall() == [(1,)]
