"""Agents are erased while a listener hears of them: whoever is gone leaves nothing behind."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.waiting import wait_until
from tollbook.model.agents.change import AgentChange
from tollbook.store.agents.accounts import Served, note_served
from tollbook.store.agents.changes import AgentNews, write_news
from tollbook.store.agents.days import drop_changes
from tollbook.store.agents.erase import AgentScope, remove_agents
from tollbook.store.database import Connection, connect, scalar
from tollbook.times import MS_PER_DAY, US_PER_DAY

DAY = 20_400

_LEFT = """
    SELECT (SELECT count(*) FROM agent_state LEFT JOIN agent USING (switch, agent) WHERE agent.agent IS NULL)
         + (SELECT count(*) FROM agent_served LEFT JOIN agent USING (switch, agent) WHERE agent.agent IS NULL)
"""


def hear(connection: Connection, day: int = DAY) -> None:
    change = AgentChange("fs1", "bob", "status", day * US_PER_DAY, 1, "Available")
    write_news(connection, AgentNews(changes=[change]))


def serve(connection: Connection) -> None:
    note_served(connection, [Served("fs1", "bob", "phone", "acme", (DAY + 1) * MS_PER_DAY)])


def erase(connection: Connection) -> None:
    remove_agents(connection, AgentScope(agent="bob"))


def prune(connection: Connection) -> None:
    """bob has been heard of on no day that is kept, and his switch neither."""
    drop_changes(connection, DAY + 1)


@pytest.fixture
def known(database: Connection) -> Connection:
    hear(database)
    database.execute("UPDATE agent_window SET open_day = %s", (DAY + 1,))
    database.commit()
    return database


@pytest.mark.parametrize("write", [lambda connection: hear(connection, DAY + 1), serve], ids=["heard", "served"])
@pytest.mark.parametrize("remove", [erase, prune])
@pytest.mark.parametrize("first", ["write", "remove"])
def test_who_is_removed_beside_a_listener_leaves_nothing(
    known: Connection, database_url: str, write: Callable[[Connection], None], remove: Callable[[Connection], None],
    first: str,
) -> None:  # fmt: skip
    """Whichever comes first, the other one waits for it."""
    with (
        connect(database_url, name="listen") as listener,
        connect(database_url, name="erase", autocommit=True) as eraser,
        ThreadPoolExecutor(1) as beside,
    ):
        open_one = listener if first == "write" else eraser
        open_one.autocommit = False
        open_one.execute("SELECT")  # begins a transaction, which what follows does not end
        if first == "write":
            write(listener)
            second = beside.submit(remove, eraser)
        else:
            remove(eraser)
            second = beside.submit(write, listener)
        known.autocommit = True
        waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
        wait_until(lambda: second.done() or scalar(known, waits))
        open_one.commit()
        second.result()
        listener.commit()
        eraser.commit()
    assert scalar(known, _LEFT) == 0
