"""The server process: the application, its services, and the signals that end it."""

import logging
import resource
import signal
from typing import Final

from export_app.app import create_app
from export_app.context import Services
from export_app.metrics.book import BookCollector
from export_app.metrics.capacity import CapacityCollector
from export_app.metrics.requests import RequestMetrics
from export_app.outages import PoolRecords
from export_app.server.bind import listen
from export_app.server.bounds import MAX_CONNECTIONS
from export_app.server.http_server import Server
from export_app.server.log_records import CleanRecords
from tollbook.config import Settings
from tollbook.log import log_line
from tollbook.metrics import serve_metrics
from tollbook.store import row_security
from tollbook.store.database import check_schema, connect
from tollbook.store.history import recognise
from tollbook.systemd import notify

_log = logging.getLogger("tollbook.serve")

# Connections, and files of PostgreSQL's connections and of the archive. Many systems allow 1,024 unless asked.
_FILES: Final = MAX_CONNECTIONS + 1000


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises at the start what makes serving impossible.

    There is one process: the rate limit counts in memory, and the worker threads share the core that is left beside
    PostgreSQL.
    """
    with connect(settings.require_database_url(), name="serve") as connection:
        check_schema(connection)
        row_security.check(connection)
        if (found := recognise(connection, settings.data_dir)) is not None:
            log_line(_log, logging.WARNING, str(found))
    for handler in logging.getLogger().handlers:
        handler.addFilter(CleanRecords())
    _allow_files()
    services = Services.from_settings(settings)
    metrics = RequestMetrics()
    server = Server(create_app(services), listen(settings.api_bind), settings.trusted_proxies, metrics)
    shares = (*services.database.shares, *services.archive.shares, services.workbooks, services.watchers)
    metrics.registry.register(CapacityCollector(services.database.pool_counts, shares, server.state))
    metrics.registry.register(BookCollector(settings, services.outages))
    serve_metrics(metrics.registry, settings.api_metrics_bind, "TOLLBOOK_API_METRICS_BIND")

    def stop(number: int, frame: object) -> None:
        del number, frame
        server.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    logging.getLogger("psycopg.pool").addFilter(PoolRecords(services.outages.database))
    services.open()
    try:
        log_line(_log, logging.INFO, f"listening on {settings.api_bind}")
        notify("READY=1")
        server.run()
    finally:
        services.close()
    log_line(_log, logging.INFO, "stopped")


def _allow_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _FILES:
        most = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
