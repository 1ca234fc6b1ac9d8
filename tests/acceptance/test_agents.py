"""Agents: a real listener hears them from a socket, is killed, and says of what it missed that it is unknown."""

import signal
import time
from typing import LiteralString

import pytest

from tests.commands import Start
from tests.paths import ESL
from tests.waiting import wait_until
from tollbook.model.agents.figures import sums_of
from tollbook.model.agents.spans import AgentSpan
from tollbook.simulator.recording import load
from tollbook.simulator.thread import SwitchThread
from tollbook.store.agents.read import read_histories, read_unheard
from tollbook.store.database import connect, scalar

IN_CALL = "In a queue call"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def count(url: str, what: LiteralString = "agent_state") -> int:
    with connect(url, name="test") as connection:
        return int(str(scalar(connection, "SELECT count(*) FROM " + what)))


def spans(url: str, agent: str, since_ms: int) -> list[AgentSpan]:
    """Return an agent's spans until now, as the API would read them."""
    with connect(url, name="test") as connection:
        until_ms = now_ms()
        unheard = read_unheard(connection, since_ms, until_ms, now_us=until_ms * 1000)
        (history,) = read_histories(connection, since_ms, until_ms, agent=agent)
        return unheard.spans(history, since_ms, until_ms)


def buckets(url: str, agent: str, since_ms: int) -> list[str]:
    return [span.bucket for span in spans(url, agent, since_ms)]


def test_what_a_listener_missed_is_unknown(start: Start, database_url: str) -> None:
    """Killed with -9 while an agent goes on a break and comes back, the next one invents neither."""
    begun_ms = now_ms()
    with SwitchThread(heartbeat_s=0.3) as switch:
        switch.set_agent("bob", status="Available", state="Waiting")
        listener = start("listen", esl=switch.url)
        listener.wait_for("listening")
        wait_until(lambda: count(database_url) == 2, 10)  # it asked for the agents that there were
        switch.set_agent("bob", state=IN_CALL)
        time.sleep(0.05)  # a call has a length
        switch.set_agent("bob", state="Waiting")
        switch.set_agent("eve", status="On Break", state="Waiting")
        wait_until(lambda: count(database_url) == 6, 10)
        assert buckets(database_url, "bob", begun_ms)[-1] == "ready"
        assert listener.stop(signal.SIGKILL) == -signal.SIGKILL
        switch.set_agent("bob", status="On Break")
        time.sleep(0.7)  # long enough that it shows in the figures
        switch.set_agent("bob", status="Available")
        switch.set_agent("eve", status="Logged Out")
        switch.remove_agent("gone")
        listener = start("listen", esl=switch.url)
        listener.wait_for("listening")
        wait_until(lambda: count(database_url, "agent_gap WHERE until_us IS NOT NULL") == 1, 10)
        found = spans(database_url, "bob", begun_ms)
        assert [span.bucket for span in found] == ["ready", "incall", "ready", "unknown", "ready"]
        assert [span.handled for span in found] == [0, 1, 0, 0, 0]
        unknown_ms = sums_of(found).ms["unknown"]
        assert 700 <= unknown_ms <= now_ms() - begun_ms
        # Before: between her status and her state, which are said a moment apart, it is not known what she does.
        assert buckets(database_url, "eve", begun_ms)[-3:] == ["paused", "unknown", "offline"]
        assert listener.stop() == 0, listener.output


def test_an_agent_that_the_switch_removed_is_gone(start: Start, database_url: str) -> None:
    """The switch says nothing when it removes one: the next list shows it. It may come back."""
    with SwitchThread(heartbeat_s=0.3) as switch:
        for agent in ("bob", "eve"):
            switch.set_agent(agent, status="Available", state="Waiting")
        listener = start("listen", esl=switch.url)
        wait_until(lambda: count(database_url) == 4, 20)
        switch.remove_agent("eve")
        switch.cut_connections()
        wait_until(lambda: count(database_url, "agent_state WHERE kind = 'removed' AND agent = 'eve'") == 1, 20)
        switch.set_agent("eve", status="Available")  # she comes back
        wait_until(lambda: count(database_url, "agent_state WHERE kind = 'status' AND agent = 'eve'") == 2, 20)
        assert count(database_url, "agent_state WHERE kind = 'removed'") == 1
        assert listener.stop() == 0, listener.output


@pytest.mark.parametrize("form", ["json", "plain"])
def test_a_recorded_shift(start: Start, database_url: str, form: str) -> None:
    """Agents of a real switch: every status and state that it said, and for whom the agent's phone works."""
    recording = load(ESL / "details" / "agent_status_changes")
    with SwitchThread(switch_name="fs-lab") as switch:
        listener = start("listen", esl=f"{switch.url}?format={form}")
        switch.wait_for_subscriber(20)
        switch.play([recording], verbatim=True)
        wait_until(lambda: count(database_url, "call_cdr WHERE end_ts IS NOT NULL") == 1, 20)
        wait_until(lambda: count(database_url, "agent_served") == 2, 20)
        assert listener.stop() == 0, listener.output
    with connect(database_url, name="test") as connection:
        since_ms = 1_795_893_304_000
        (history,) = read_histories(connection, since_ms, since_ms + 60_000, agent="agent4")
        assert history.account_id == "acct_alpha"
        unheard = read_unheard(connection, since_ms, since_ms + 60_000, now_us=0)
        found = unheard.spans(history, since_ms, since_ms + 60_000)
        assert [(span.status, span.state) for span in found] == [
            ("Logged Out", "Waiting"), ("Available", "Waiting"), ("Available (On Demand)", "Waiting"),
            ("Logged Out", "Waiting"), ("Logged Out", "Idle"), ("Available", "Idle"), ("Available", "Waiting"),
            ("Available", "Receiving"), ("Available", IN_CALL), ("Available", "Waiting"), ("On Break", "Waiting"),
            ("Logged Out", "Waiting"),
        ]  # fmt: skip
        assert sums_of(found).ms["incall"] == 2700
        assert sums_of(found).handled == 1
        by = connection.execute("SELECT agent, account_by FROM agent WHERE account_id IS NOT NULL").fetchall()
        assert by == [("agent4", "phone")]
        assert scalar(connection, "SELECT count(*) FROM agent") == 6
