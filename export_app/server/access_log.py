"""The access log: a line for each request, without its query string, where somebody may have put a key."""

import logging
import time

from waitress.task import Task

from export_app.web.client_address import Address
from tollbook.log import log_line

_log = logging.getLogger("tollbook.serve")


def log_request(task: Task, client: Address | None) -> None:
    """Log a request that has its response. `client`: who sent it."""
    log_line(
        _log,
        logging.INFO,
        task.request.command,
        path=task.request.path,
        status=task.status.partition(" ")[0],
        bytes=task.content_bytes_written,
        ms=round((time.time() - task.start_time) * 1000),
        client=client or "-",
    )
