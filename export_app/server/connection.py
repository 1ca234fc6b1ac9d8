"""A client's connection: what it waits for, and for how long it may."""

import logging
import socket
import sys
import threading
import time
from collections.abc import Collection
from typing import Any, Final

from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer

from export_app.metrics.requests import RequestMetrics
from export_app.server.request_parser import RequestParser
from export_app.server.sockets import Sockets
from export_app.server.tasks import RefusalTask, RequestTask
from export_app.server.worker_threads import WorkerThreads
from export_app.web.client_address import Address, Network, client_address, client_group, is_among, parse_address
from export_app.web.event_stream import EventStream
from tollbook.log import log_line

_log = logging.getLogger("tollbook.serve")

IDLE_TIMEOUT_S: Final = 30.0  # until a connection's first request, and between two
REQUEST_TIMEOUT_S: Final = 10.0  # from a request's first byte to the end of its body
RESPONSE_TIMEOUT_S: Final = 60.0  # to take a whole response; the largest page has some 3 MB
# Whoever sends events says something every 15 s, and ends a stream in time. A stream of which nobody knows ends here.
STREAM_TIMEOUT_S: Final = 60.0
# For the client to close, once we are done: closing first, with bytes of it unread, could lose the end of the response.
_LINGER_S: Final = 1.0
# No request takes as long: PostgreSQL ends a statement after 5 s, the archive's storage after 20.
HUNG_S: Final = 60.0
_DRAIN_BYTES: Final = 64 * 1024
_SEND_BYTES: Final = 256 * 1024


class Connection(HTTPChannel):
    """A connection in one of six phases: idle, request, busy (ours to answer), response, stream, lingering.

    `since_s`: when the phase began, monotonic. The server's loop runs everything here but `service`, which runs in a
    worker thread.
    """

    parser_class = RequestParser
    task_class = RequestTask
    error_task_class = RefusalTask

    def __init__(
        self,
        server: TcpWSGIServer,
        sock: socket.socket,
        peer: Any,
        sockets: Sockets,
        threads: WorkerThreads,
        *,
        proxies: Collection[Network],
        stopping: threading.Event,
        metrics: RequestMetrics,
    ) -> None:
        super().__init__(server, sock, peer, server.adj, map=sockets)
        # What waitress copies for each attempt to send, of which the socket may take little.
        self.sendbuf_len = _SEND_BYTES
        address = parse_address(peer[0])
        self.client = client_group(address)
        self.is_proxy = address is not None and is_among(address, proxies)
        self.stopping = stopping
        self.metrics = metrics
        self._threads = threads
        self._proxies = proxies
        self.since_s = time.monotonic()
        self.postponed = False
        self._lingering = False
        self._thread: int | None = None
        self._reported = False
        self._sockets = sockets
        self._stream: EventStream | None = None
        self._stream_chunked = False

    @property
    def is_busy(self) -> bool:
        """Whether a request waits for a thread, or runs in one."""
        return self._thread is not None or (bool(self.requests) and not self.postponed)

    @property
    def is_idle(self) -> bool:
        """Whether neither side owes the other anything; half a request counts as nothing."""
        return not (self.requests or self.total_outbufs_len or self._lingering)

    def client_of(self, forwarded: str | None) -> Address | None:
        """Return the address of who sent a request with this X-Forwarded-For."""
        return client_address(self.addr[0], forwarded, self._proxies)

    def start(self) -> None:
        """Serve the next request in a worker thread; one that was pipelined, when the client has the response before.

        Otherwise a client that reads nothing would fill our memory with what it asked for in one packet, and then hold
        a thread. After a stream has begun there is no next one.
        """
        if self._stream is not None:
            self.requests.clear()
        elif self.total_outbufs_len:
            self.postponed = True
        else:
            self._threads.add_task(self)

    def service(self) -> None:
        """Serve a request, in a worker thread. What it wrote is the client's to take from now on."""
        self._thread, self._reported = threading.get_ident(), False
        try:
            super().service()
        except BaseException:
            self.cancel()  # else the connection would be busy for ever
            self.server.pull_trigger()
            raise
        finally:
            self.since_s = time.monotonic()  # before the connection is no longer busy: its client would look overdue
            self._thread = None

    def received(self, data: bytes) -> bool:
        """Take in bytes of a request."""
        begins = self.request is None
        taken = super().received(data)
        if begins or self.requests:
            self.since_s = time.monotonic()
        return taken

    def send_continue(self) -> None:
        """Ask for the body of a request, but of none that comes after a stream has begun: it is not served."""
        if self._stream is None:
            super().send_continue()

    def begin_stream(self, stream: EventStream, *, chunked: bool) -> None:
        """Go on with a response that has begun, as events come, without a thread. A worker thread calls this."""
        self._stream, self._stream_chunked = stream, chunked
        file = self.socket.fileno()

        def wake() -> None:
            self._sockets.wake(file)
            self.server.pull_trigger()

        stream.attach(wake)
        if not self.connected:
            stream.close()

    def handle_close(self) -> None:
        """Close, and let whoever sends events know."""
        if self._stream is not None:
            self._stream.close()
        super().handle_close()

    def readable(self) -> bool:
        return self._lingering or (self._stream is not None and not self.requests) or super().readable()

    def writable(self) -> bool:
        self._take_event()
        return self.will_close or (not self._lingering and (self.postponed or bool(super().writable())))

    def handle_read(self) -> None:
        """Read a part of a request; of a client that has its last response, whatever still comes."""
        if self._stream is not None and not self._lingering:
            try:
                if self.recv(_DRAIN_BYTES):
                    self.handle_close()  # it has asked for all that it gets here
            except OSError:
                self.handle_close()
            return
        if not self._lingering:
            super().handle_read()
            return
        try:
            self.recv(_DRAIN_BYTES)  # closes, when the client has closed
        except OSError:
            self.handle_close()

    def handle_write(self) -> None:
        """Send what the client takes; then start what was postponed, or linger after the last response."""
        unsent = self.total_outbufs_len
        # waitress would close at once. A worker thread sets it, and only from False to True.
        last = self.close_when_flushed
        if last:
            self.close_when_flushed = False
        super().handle_write()
        if not self.connected:
            return
        if self.total_outbufs_len:
            self.close_when_flushed = self.close_when_flushed or last
            return
        if unsent:
            self.since_s = time.monotonic()
        if last:
            self._linger()
        elif self._stream is not None:
            self._take_event()
        elif self.postponed:
            self.postponed = False
            self.start()

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send what the socket takes; raises OSError, such as TimeoutError after UNREAD_TIMEOUT_S."""
        try:
            return super().send(data, do_close)
        except TimeoutError:
            log_line(_log, logging.WARNING, "cut off a client that read nothing of its response", client=self.addr[0])
            raise

    def handle_expt(self) -> None:
        """Close after urgent data, which HTTP has not: poll(2) would report it again and again."""
        self.handle_close()

    def handle_error(self) -> None:
        """Close after an error of ours."""
        _log.exception("closed a connection")
        self.handle_close()

    def check_time(self, now_s: float) -> None:
        """Close the connection when its client is overdue; log a request of which a thread makes no end."""
        waited_s = now_s - self.since_s
        if self.is_busy:
            if waited_s > HUNG_S and not self._reported:
                self._reported = True
                log_line(_log, logging.ERROR, "a request does not end", path=self.requests[0].path, at=self._where())
        elif waited_s > self._limit_s():
            if self.total_outbufs_len or self.request is not None:
                message = "cut off a client that was too slow"
                log_line(_log, logging.WARNING, message, client=self.addr[0])
            self.handle_close()

    def _limit_s(self) -> float:
        if self._lingering:
            return _LINGER_S
        if self.total_outbufs_len:
            return RESPONSE_TIMEOUT_S
        if self._stream is not None:
            return STREAM_TIMEOUT_S
        return IDLE_TIMEOUT_S if self.request is None else REQUEST_TIMEOUT_S

    def _take_event(self) -> None:
        """Take the next event of a stream, when the client has all that came before. The server's loop calls this."""
        if self._stream is None or self.requests or self.total_outbufs_len or self._lingering or not self.connected:
            return
        event, ends = self._stream.take()
        if self._stream_chunked:
            event = b"%x\r\n%b\r\n" % (len(event), event) if event else b""
            event += b"0\r\n\r\n" if ends else b""
        if event:
            self.outbufs[-1].append(event)
            self.total_outbufs_len += len(event)
            self.since_s = time.monotonic()
        if ends:
            self.close_when_flushed = True

    def _linger(self) -> None:
        self._lingering, self.since_s = True, time.monotonic()
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.handle_close()

    def _where(self) -> str:
        """Return the innermost places of the code that serves the request."""
        # Private in name only: it is documented, for debugging.
        frames = sys._current_frames()  # pyright: ignore[reportPrivateUsage]
        frame = None if self._thread is None else frames.get(self._thread)
        places: list[str] = []
        while frame is not None and len(places) < 4:
            places.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
            frame = frame.f_back
        return ", ".join(places) or "no thread"
