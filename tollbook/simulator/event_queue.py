"""What waits to be sent to one connection, bounded as FreeSWITCH bounds it."""

from collections import deque
from collections.abc import Callable

# mod_event_socket's MAX_QUEUE_LEN, and MAX_MISSED, the drops in a row after which it cuts a connection.
MAX_QUEUED = 100_000
MAX_MISSED = 500

# A client that sends commands and never reads is cut at this many answers; FreeSWITCH would stop reading its commands.
_MAX_REPLIES = 10_000


class EventQueue:
    """Events and replies in one order. `missed` counts the events dropped since the last one that fitted.

    An event is rendered only when it is sent: 100,000 rendered events would be a gigabyte, and most are never sent.
    """

    def __init__(self, max_queued: int = MAX_QUEUED) -> None:
        self._queue: deque[bytes | Callable[[], bytes]] = deque()
        self._max_queued = max_queued
        self.missed = 0

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def broken(self) -> bool:
        """Whether the connection must be cut."""
        return self.missed > MAX_MISSED or len(self._queue) > self._max_queued + _MAX_REPLIES

    def put_event(self, render: Callable[[], bytes]) -> bool:
        """Queue an event, or drop it when the queue is full; return whether it was queued."""
        if len(self._queue) >= self._max_queued:
            self.missed += 1
            return False
        self.missed = 0
        self._queue.append(render)
        return True

    def put_reply(self, reply: bytes) -> None:
        """Queue the answer to a command, after the events that wait."""
        self._queue.append(reply)

    def take(self, count: int) -> bytes:
        """Remove up to `count` items and return their bytes as one."""
        taken = [self._queue.popleft() for _ in range(min(count, len(self._queue)))]
        return b"".join(item if isinstance(item, bytes) else item() for item in taken)

    def clear(self) -> None:
        """Drop what waits."""
        self._queue.clear()
