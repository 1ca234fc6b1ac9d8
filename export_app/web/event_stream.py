"""A response without an end of its own: what is sent waits in one place, and no thread waits with it.

Whoever has something to send leaves it here, from any thread. The server's loop takes it when the client has taken what
came before: of several things only the last is sent, so a slow client costs the memory of two.
"""

import threading
from collections.abc import Callable
from typing import Final

#: Where the application leaves a stream in a request's WSGI environment.
STREAM: Final = "tollbook.stream"


class EventStream:
    """What is to be sent to one client. `wake` asks the server's loop to look; it is set as the response begins."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = b""
        self._ends = False
        self._wake: Callable[[], None] | None = None
        self.closed = False

    @property
    def has_begun(self) -> bool:
        """Whether the server's loop knows of it. If the client has gone before, it never does."""
        return self._wake is not None

    def attach(self, wake: Callable[[], None]) -> None:
        """Begin: the response's head has been written."""
        with self._lock:
            self._wake = wake
            wanted = bool(self._waiting) or self._ends
        if wanted:
            wake()

    def send(self, event: bytes) -> None:
        """Send an event, in place of one that still waits."""
        with self._lock:
            self._waiting = event
            wake = self._wake
        if wake is not None:
            wake()

    def keep_alive(self, comment: bytes) -> None:
        """Send a comment, unless an event waits."""
        with self._lock:
            self._waiting = self._waiting or comment
            wake = self._wake
        if wake is not None:
            wake()

    def end(self) -> None:
        """Let the response end after what waits."""
        with self._lock:
            self._ends = True
            wake = self._wake
        if wake is not None:
            wake()

    def take(self) -> tuple[bytes, bool]:
        """Take what waits, and whether it is the last."""
        with self._lock:
            event, self._waiting = self._waiting, b""
            return event, self._ends

    def close(self) -> None:
        """Note that the client has gone."""
        self.closed = True
