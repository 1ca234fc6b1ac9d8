"""gunicorn, started in this process: the process that systemd sees is the one that supervises the workers."""

import logging
import socket
import time
from contextlib import suppress
from typing import Any, Final

from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import TConn, ThreadWorker

from export_app.app import create_app
from export_app.context import Services
from export_app.server.access_log import NoKeys, ServerLogger
from export_app.server.bind import listen
from tollbook.config import Settings
from tollbook.store import row_security
from tollbook.store.database import check_schema, connect

# One process, which counts the requests of each key.
WORKERS: Final = 1
# Most wait: for PostgreSQL, or for a client that reads slowly. One that reads nothing holds its thread until it is cut
# off, so there are more than fifty of those would hold.
THREADS: Final = 64
GRACEFUL_TIMEOUT_S: Final = 10  # how long a stop waits for requests under way, whose statements have 5 s each
RESPONSE_TIMEOUT_S: Final = 60.0  # to take a whole page; the largest has some 3 MB
_LINGER_S: Final = 1.0


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; raises at the start what makes serving impossible. Ends by SystemExit."""
    with connect(settings.require_database_url(), name="serve") as connection:
        check_schema(connection)
        row_security.check(connection)
    for handler in logging.getLogger().handlers:
        handler.addFilter(NoKeys())
    _Server(Services.from_settings(settings), listen(settings.api_bind)).run()


class _Worker(ThreadWorker):
    def handle(self, conn: TConn) -> bool:
        """Serve a request, and wait here for the client to hang up after its last one.

        gunicorn would wait in the loop that accepts connections, up to 2 s for each client that keeps its end open.
        """
        kept = super().handle(conn)
        if kept is False:
            _linger(conn.sock)
        return kept

    def handle_request(self, req: Any, conn: TConn) -> bool:
        """Answer a request within a time: a client that reads drop by drop is no better than one that does not."""
        conn.sock.settimeout(RESPONSE_TIMEOUT_S)
        return super().handle_request(req, conn)


class _Server(BaseApplication):
    def __init__(self, services: Services, listening: socket.socket) -> None:
        self._services = services
        self._options: dict[str, Any] = {
            "bind": f"fd://{listening.detach()}",
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
        """Make the application, in the worker: gunicorn calls this after the fork."""
        self._services.open()
        return create_app(self._services)

    def _close(self, server: object, worker: object) -> None:
        del server, worker
        self._services.close()


def _linger(sock: socket.socket) -> None:
    """Send all, then wait for the client to close: closed at once, it could lose the end of its answer."""
    deadline = time.monotonic() + _LINGER_S
    with suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        while (left := deadline - time.monotonic()) > 0:
            sock.settimeout(left)
            if not sock.recv(65536):
                break
        sock.shutdown(socket.SHUT_RDWR)
