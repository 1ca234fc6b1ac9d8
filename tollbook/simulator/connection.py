"""One client's socket: the answers of its session and the events of the switch, in one order."""

import asyncio
from collections.abc import Callable
from typing import cast

from tollbook.errors import DataError
from tollbook.simulator.event_queue import EventQueue
from tollbook.simulator.session import AUTH_REQUEST, Host, Session

# Items sent in one write: enough to amortise the system call, and little to copy.
_BATCH = 32

# The transport's own buffer, kept small beside the queue, because what is in it no longer counts as queued.
_HIGH_WATER_BYTES = 256 * 1024


class ClientConnection(asyncio.Protocol):
    """An asyncio protocol around a `Session` and an `EventQueue`.

    `changed` is called after every command, `overflowed` when the connection is cut because the client is too slow.
    """

    def __init__(
        self, host: Host, *, queue: EventQueue, opened: Callable[["ClientConnection"], None],
        closed: Callable[["ClientConnection"], None], changed: Callable[["ClientConnection"], None],
        overflowed: Callable[[], None],
    ) -> None:  # fmt: skip
        self.session = Session(host)
        self._queue = queue
        self._opened = opened
        self._closed = closed
        self._changed = changed
        self._overflowed = overflowed
        self._transport: asyncio.Transport | None = None
        self._paused = False
        self._flush_due = False

    @property
    def queued(self) -> int:
        """Events and replies that wait for the client to read."""
        return len(self._queue)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the client."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER_BYTES)
        self._opened(self)
        self._queue.put_reply(AUTH_REQUEST)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop the client."""
        self._transport = None
        self._queue.clear()
        self._closed(self)

    def data_received(self, data: bytes) -> None:
        """Answer the commands that `data` completes."""
        if self.session.closing:
            return  # the client has said exit: what it sends now must not pile up
        try:
            replies = self.session.feed(data)
        except DataError:
            self.cut()
            return
        for reply in replies:
            self._queue.put_reply(reply)
        self._changed(self)
        self._flush()
        if self._queue.broken:
            self.cut()

    def pause_writing(self) -> None:
        """Keep everything in the queue: the client does not read."""
        self._paused = True

    def resume_writing(self) -> None:
        """Send again."""
        self._paused = False
        self._flush()

    def send_event(self, render: Callable[[], bytes]) -> None:
        """Queue an event; cut the connection when its client has missed too many."""
        self._queue.put_event(render)
        if self._queue.broken:
            self.cut()
            self._overflowed()
        elif len(self._queue) >= _BATCH and not self._paused:
            self._flush()
        elif not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def cut(self) -> None:
        """Close the socket at once and send nothing more, as when a process is killed."""
        self._queue.clear()
        if self._transport is not None:
            self._transport.abort()
            self._transport = None  # events that come before `connection_lost` must not be written to it

    def _flush(self) -> None:
        self._flush_due = False
        transport = self._transport
        if transport is None:
            return
        while len(self._queue) and not self._paused:
            transport.write(self._queue.take(_BATCH))
        if self.session.closing and not len(self._queue):
            transport.close()
