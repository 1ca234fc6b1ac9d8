"""How many connections there may be, and which are closed when there are more. Pure.

The newest one may be somebody honest; so the connections are closed that have waited longest for their client. Only
where every connection has a request that waits for us is it the newest.
"""

from collections import Counter
from collections.abc import Collection
from typing import Final, Protocol, TypeVar

MAX_CONNECTIONS: Final = 1000
# A browser opens six, and an office of twenty may share one address.
MAX_CONNECTIONS_PER_CLIENT: Final = 128
# What clients have not taken yet of their responses, in memory: 40 of the largest pages.
MAX_UNSENT_BYTES: Final = 128 * 1024 * 1024


class Bounded(Protocol):
    """A connection: whose it is, since when (monotonic seconds) it has waited for what, and how much it holds."""

    client: str
    is_proxy: bool
    since_s: float
    total_outbufs_len: int

    @property
    def is_busy(self) -> bool:
        """Whether a request of it waits for us, or is being served."""
        ...


C = TypeVar("C", bound=Bounded)


def surplus(connections: Collection[C], at_most: int = MAX_CONNECTIONS) -> list[C]:
    """Return the connections to close. Those of a trusted proxy are many clients', and count only in the total."""
    of_clients = Counter(connection.client for connection in connections if not connection.is_proxy)
    unsent = sum(connection.total_outbufs_len for connection in connections)
    left = len(connections)
    if (
        left <= at_most
        and unsent <= MAX_UNSENT_BYTES
        and max(of_clients.values(), default=0) <= MAX_CONNECTIONS_PER_CLIENT
    ):
        return []
    closed: list[C] = []
    kept: list[C] = []
    for connection in sorted(connections, key=_order):
        if of_clients[connection.client] > MAX_CONNECTIONS_PER_CLIENT:
            of_clients[connection.client] -= 1
            left -= 1
            unsent -= connection.total_outbufs_len
            closed.append(connection)
        else:
            kept.append(connection)
    for connection in kept:
        if left > at_most or (unsent > MAX_UNSENT_BYTES and connection.total_outbufs_len):
            left -= 1
            unsent -= connection.total_outbufs_len
            closed.append(connection)
    return closed


def _order(connection: Bounded) -> tuple[bool, float]:
    """Sort what is closed first to the front: who has waited longest for their client, then who came last to us."""
    return connection.is_busy, -connection.since_s if connection.is_busy else connection.since_s
