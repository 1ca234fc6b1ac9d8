"""The HTTP server: waitress, which reads requests and writes responses in one loop.

Its worker threads get whole requests and leave whole responses behind: a client that sends or reads slowly costs a file
descriptor and never a thread. What waitress lacks is a deadline for a client that moves a byte now and then. And its
bound on connections stops accepting, so that whoever opened them locks everybody else out. Both are here.
"""

import errno
import logging
import math
import socket
import threading
import time
from collections.abc import Collection
from typing import Final
from wsgiref.types import WSGIApplication

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer

from export_app.metrics.capacity import ServerState
from export_app.metrics.requests import RequestMetrics
from export_app.server.bind import BACKLOG
from export_app.server.bounds import MAX_CONNECTIONS, MAX_UNSENT_BYTES, surplus
from export_app.server.connection import Connection
from export_app.server.request_parser import MAX_BODY_BYTES, MAX_HEAD_BYTES
from export_app.server.sockets import Sockets
from export_app.server.watchdog import Watchdog
from export_app.server.worker_threads import WorkerThreads
from export_app.web.client_address import Network
from tollbook.log import log_line
from tollbook.systemd import notify

_log = logging.getLogger("tollbook.serve")

# Most wait for PostgreSQL, or for their turn there: `share` and `database` count on as many. Started when needed.
THREADS: Final = 80
GRACEFUL_TIMEOUT_S: Final = 10.0  # how long a stop waits for running requests, whose statements have 5 s each
_ACCEPTS_AT_ONCE: Final = 64
_TICK_S: Final = 1.0
# Closed when the system has no more files for us, so that PostgreSQL and the archive get some too.
_SPARE_FILES: Final = 16
_LOG_EVERY_S: Final = 60.0
_OUT_OF_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Server(TcpWSGIServer):
    """Serves an application on a listening socket, for clients of which `proxies` pass on requests of others."""

    def __init__(
        self,
        application: WSGIApplication,
        listener: socket.socket,
        proxies: Collection[Network],
        metrics: RequestMetrics,
    ) -> None:
        self._proxies = proxies
        self._metrics = metrics
        self._stopping = threading.Event()
        self._accepted = False
        self._out_of_files = False
        self._logged_at_s = -math.inf
        adjustments = Adjustments(
            backlog=BACKLOG,
            ident=None,  # no Server header
            clear_untrusted_proxy_headers=False,  # `client_address` decides whose X-Forwarded-For is believed
            connection_limit=2 * MAX_CONNECTIONS,  # never reached: `surplus` comes first
            max_request_header_size=MAX_HEAD_BYTES + 1,  # the first size that is refused
            max_request_body_size=MAX_BODY_BYTES + 1,
            outbuf_overflow=MAX_UNSENT_BYTES,  # in memory, never in a file
            log_socket_errors=False,
        )
        address = (listener.family, listener.type, listener.proto, listener.getsockname())
        self._threads = WorkerThreads(THREADS)
        self._sockets = Sockets()
        super().__init__(
            application,
            map=self._sockets,
            _sock=listener,
            dispatcher=self._threads,
            adj=adjustments,
            sockinfo=address,
            bind_socket=False,
        )
        self._watchdog = Watchdog(self._threads)

    def run(self) -> None:
        """Serve until `stop`; then serve what has been asked for, for up to GRACEFUL_TIMEOUT_S."""
        next_tick_s = 0.0
        while not self._stopping.is_set():
            self._sockets.wait(_TICK_S)
            # Here, and not while epoll's events are handled: a new connection may get the number of a closed one.
            if self._accepted:
                self._close_surplus()
            if time.monotonic() >= next_tick_s:
                next_tick_s = time.monotonic() + _TICK_S
                self._tick()
        self._drain()

    def stop(self) -> None:
        """End `run` soon. A signal handler or any thread may call this."""
        if not self._stopping.is_set():
            self._stopping.set()
            self.pull_trigger()

    def state(self) -> ServerState:
        """Return what the server is doing. Any thread may call this."""
        return ServerState(
            connections=len(self.active_channels),
            threads=THREADS,
            threads_busy=self._threads.busy,
            requests_waiting=self._threads.waiting,
        )

    def add_task(self, task: HTTPChannel) -> None:
        """Start the next request of a connection."""
        assert isinstance(task, Connection)
        task.start()

    def handle_accept(self) -> None:
        """Take the connections that wait, some at a time."""
        for _ in range(_ACCEPTS_AT_ONCE):
            try:
                accepted = self.accept()
                if accepted is None:
                    return
                connected, peer = accepted
                self.set_socket_options(connected)
            except OSError as error:  # the client has gone already, or there is no more file for us
                if error.errno in _OUT_OF_FILES:
                    self._spare_files(error)
                return
            Connection(
                self,
                connected,
                peer,
                self._sockets,
                self._threads,
                proxies=self._proxies,
                stopping=self._stopping,
                metrics=self._metrics,
            )
            self._accepted = True

    def handle_error(self) -> None:
        """Raise what `handle_accept` raised: waitress would close the listening socket, and the process live on."""
        raise

    def maintenance(self, now: float) -> None:
        """Do nothing: waitress calls this amid its loop, and only marks a connection; `run` closes those overdue."""

    def _connections(self) -> list[Connection]:
        return [channel for channel in self.active_channels.values() if isinstance(channel, Connection)]

    def _tick(self) -> None:
        for connection in self._connections():
            connection.check_time(time.monotonic())
        self._close_surplus()
        self._watchdog.tick(time.monotonic())

    def _close_surplus(self) -> None:
        connections = self._connections()
        at_most = max(0, len(connections) - _SPARE_FILES) if self._out_of_files else MAX_CONNECTIONS
        self._accepted = self._out_of_files = False
        for connection in surplus(connections, at_most):
            connection.handle_close()

    def _spare_files(self, error: OSError) -> None:
        self._accepted = self._out_of_files = True
        if time.monotonic() - self._logged_at_s >= _LOG_EVERY_S:
            self._logged_at_s = time.monotonic()
            message = "the system has no more files for us: raise LimitNOFILE; waiting connections are closed"
            log_line(_log, logging.ERROR, message, connections=len(self.active_channels), reason=error.strerror)

    def _drain(self) -> None:
        log_line(_log, logging.INFO, "stopping, after the requests that are being served")
        notify("STOPPING=1")
        self.del_channel()
        self.socket.close()
        deadline_s = time.monotonic() + GRACEFUL_TIMEOUT_S
        while (self.active_channels or not self._threads.are_idle) and time.monotonic() < deadline_s:
            for connection in self._connections():
                if connection.is_idle:
                    connection.handle_close()
                else:
                    connection.check_time(time.monotonic())
            self._sockets.wait(0.1)
