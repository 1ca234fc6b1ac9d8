"""The server process: gunicorn runs inside it, so that the process systemd starts is the one that supervises."""

import logging
import socket
import time
from contextlib import suppress
from typing import Any, Final

from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import TConn, ThreadWorker

from export_app.app import create_app
from export_app.context import Services
from export_app.server.access_log import RedactKeys, ServerLogger
from export_app.server.bind import listen
from tollbook.config import Settings
from tollbook.store import row_security
from tollbook.store.database import check_schema, connect

# One, because the rate limit counts in memory.
WORKERS: Final = 1
# Most threads wait, for PostgreSQL or for a client that reads slowly. A client that reads nothing holds its thread
# until it is cut off; fifty of those leave some threads free.
THREADS: Final = 64
GRACEFUL_TIMEOUT_S: Final = 10  # how long a stop waits for running requests, whose statements have 5 s each
RESPONSE_TIMEOUT_S: Final = 60.0  # for a client to read a whole page; the largest has some 3 MB
_LINGER_S: Final = 1.0


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; ends with SystemExit. Raises at the start what makes serving impossible."""
    with connect(settings.require_database_url(), name="serve") as connection:
        check_schema(connection)
        row_security.check(connection)
    for handler in logging.getLogger().handlers:
        handler.addFilter(RedactKeys())
    _Server(Services.from_settings(settings), listen(settings.api_bind)).run()


class _Worker(ThreadWorker):
    def handle(self, conn: TConn) -> bool:
        """Serve a request; after the last one of a connection, wait in this thread for the client to close.

        gunicorn would wait in the loop that accepts connections, up to 2 s for each client that keeps its end open.
        """
        keep = super().handle(conn)
        if keep is False:
            _linger(conn.sock)
        return keep

    def handle_request(self, req: Any, conn: TConn) -> bool:
        """Answer within RESPONSE_TIMEOUT_S: a client that reads byte by byte holds a thread, too."""
        conn.sock.settimeout(RESPONSE_TIMEOUT_S)
        return super().handle_request(req, conn)


class _Server(BaseApplication):
    def __init__(self, services: Services, listener: socket.socket) -> None:
        self._services = services
        self._options: dict[str, Any] = {
            "bind": f"fd://{listener.detach()}",
            "worker_class": _Worker,
            "workers": WORKERS,
            "threads": THREADS,
            "graceful_timeout": GRACEFUL_TIMEOUT_S,
            "logger_class": ServerLogger,
            "proc_name": "tollbook serve",
            "control_socket_disable": True,
            "worker_exit": self._close,
        }
        super().__init__()

    def load_config(self) -> None:
        assert self.cfg is not None
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Make the application. gunicorn calls this in the worker, after the fork."""
        self._services.open()
        return create_app(self._services)

    def _close(self, server: object, worker: object) -> None:
        del server, worker
        self._services.close()


def _linger(sock: socket.socket) -> None:
    """End our side, then wait for the client to close: closing at once could lose the end of the response."""
    deadline = time.monotonic() + _LINGER_S
    with suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        while (remaining := deadline - time.monotonic()) > 0:
            sock.settimeout(remaining)
            if not sock.recv(65536):
                break
        sock.shutdown(socket.SHUT_RDWR)
