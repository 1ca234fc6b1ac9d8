"""`tollbook deliver` as a process, and calls that happen meanwhile."""

from collections.abc import Callable

import pytest

from tests.commands import Running, Start
from tollbook.store.database import Connection

Deliver = Callable[..., Running]


@pytest.fixture
def deliver(start: Start) -> Deliver:
    """Start `tollbook deliver`, which may reach loopback; wait until it has its share of the endpoints."""

    def begin(*, wait: bool = True, **settings: str) -> Running:
        running = start("deliver", **{"webhook_private": "127.0.0.0/8"} | settings)
        if wait:
            running.wait_for("our share of the endpoints")
        return running

    return begin


@pytest.fixture
def calls(database: Connection) -> Connection:
    """A connection on which each row is committed at once."""
    database.autocommit = True
    return database
