"""Shifts of agents, as a listener would have heard them."""

from tollbook.model.agents.change import AgentChange, ChangeKind
from tollbook.store.agents.changes import AgentNews, write_news
from tollbook.store.database import Connection
from tollbook.times import MS_PER_DAY

# Long over.
DAY = 20_400
HOUR_US = 3_600_000_000
AFTER = (DAY + 10) * MS_PER_DAY


def work(database: Connection, agent: str, day: int = DAY, switch: str = "fs1") -> None:
    """Work from 9 to 17, with a call from 10 to 11."""
    said: list[tuple[int, ChangeKind, str]] = [
        (9, "status", "Available"),
        (9, "state", "Waiting"),
        (10, "state", "In a queue call"),
        (11, "state", "Waiting"),
        (17, "status", "Logged Out"),
    ]
    midnight_us = day * MS_PER_DAY * 1000
    changes = [
        AgentChange(switch, agent, kind, midnight_us + hour * HOUR_US, number, value)
        for number, (hour, kind, value) in enumerate(said, start=1)
    ]
    write_news(database, AgentNews(changes=changes))
    database.commit()
