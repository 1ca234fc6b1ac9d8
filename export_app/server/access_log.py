"""What is noted of a request: a count, and a log line without its query string, where somebody may have put a key."""

import logging
import time

from waitress.task import Task

from export_app.metrics.requests import RequestMetrics
from export_app.web.client_address import Address
from tollbook.log import log_line

_log = logging.getLogger("tollbook.serve")


def note_request(
    task: Task, client: Address | None, metrics: RequestMetrics, *, route: str | None, error_code: str | None
) -> None:
    """Count and log a request that has its response.

    `client`: who sent it. `route`: the pattern of its address, if a resource has one. `error_code`: in its response.
    """
    seconds, status = time.time() - task.start_time, task.status.partition(" ")[0]
    metrics.count(route=route, status=int(status), error_code=error_code, seconds=max(0.0, seconds))
    log_line(
        _log,
        logging.INFO,
        task.request.command,
        path=task.request.path,
        status=status,
        bytes=task.content_bytes_written,
        ms=round(seconds * 1000),
        client=client or "-",
    )
