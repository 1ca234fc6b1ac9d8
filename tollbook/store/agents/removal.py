"""Agents are removed while nobody adds to them: what is added at that moment would stay behind without its agent."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from psycopg.errors import LockNotAvailable

from tollbook.errors import StoreUnavailable
from tollbook.store.database import Connection, limit_transaction, scalar, store_errors
from tollbook.store.locks import AGENT_LOCK

# Whoever adds to agents queues behind us while we wait. Less than what a listener waits for a lock, after which its
# calls go to the disk.
_LOCK_WAIT_MS: Final = 500
_PAUSE_S: Final = 0.2
#: How long to try, beside listeners whose transactions take longer than that.
PATIENCE_S: Final = 60.0


def adding_to_agents(connection: Connection) -> None:
    """Let no agent be removed until the transaction ends. Raises psycopg.Error."""
    connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (AGENT_LOCK,))


@contextmanager
def removing_agents(connection: Connection) -> Generator[None]:
    """Run the block in a transaction in which nobody adds to agents. Keep it short: listeners wait for it.

    Raises StoreUnavailable.
    """
    deadline_s = time.monotonic() + PATIENCE_S
    with store_errors(), connection.transaction():
        limit_transaction(connection)
        while not _locked(connection):
            if time.monotonic() > deadline_s:
                raise StoreUnavailable(
                    f"what is heard of agents is being written all the time, for {PATIENCE_S:.0f} s: try again later"
                )
            time.sleep(_PAUSE_S)
        yield


def _locked(connection: Connection) -> bool:
    try:
        with connection.transaction():
            usual = scalar(connection, "SELECT current_setting('lock_timeout')")
            connection.execute("SELECT set_config('lock_timeout', %s, true)", (f"{_LOCK_WAIT_MS}ms",))
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (AGENT_LOCK,))
            connection.execute("SELECT set_config('lock_timeout', %s, true)", (usual,))
    except LockNotAvailable:
        return False
    return True
