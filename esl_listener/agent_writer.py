"""Writes what was heard of agents, after the calls of the same time: agents hold up no call."""

import logging
from typing import Final

from esl_listener.agents import AgentInbox
from esl_listener.metrics import Metrics
from tollbook.errors import DataError
from tollbook.log import log_line
from tollbook.store.agents.accounts import note_served
from tollbook.store.agents.changes import write_news
from tollbook.store.database import Connection

_log: Final = logging.getLogger("tollbook.writer")


def write_agents(connection: Connection, agents: AgentInbox, metrics: Metrics) -> None:
    """Write what waits; what fails is put back, and what PostgreSQL will never take is dropped.

    Raises StoreUnavailable and SchemaError.
    """
    news = agents.take()
    try:
        if news:
            refused = write_news(connection, news)
            metrics.agent_changes_refused += refused
            metrics.agent_changes += len(news.changes) - refused
            news = None
        if served := [*agents.served.waiting]:
            note_served(connection, served)
            agents.served.written(len(served))
    except DataError as error:
        metrics.agent_changes_refused += len(news.changes) if news else 0
        agents.served.waiting.clear()
        log_line(_log, logging.ERROR, "what was heard of agents is not kept", reason=error)
    except BaseException:
        if news:
            agents.put_back(news)
        raise
