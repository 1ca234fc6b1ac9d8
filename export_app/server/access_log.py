"""gunicorn's log in our format, and an access log without query strings and API keys."""

import datetime as dt
import logging
import re
import sys
from typing import Any, Final

from gunicorn.glogging import Logger

from tollbook.log import log_line

_log = logging.getLogger("tollbook.serve")

_KEY: Final = re.compile(r"sk_[A-Za-z0-9_-]+")


class RedactKeys(logging.Filter):
    """Redacts API keys in log records: gunicorn quotes a request that it cannot parse."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the keys in a record; always True, which keeps the record."""
        message = record.getMessage()
        if "sk_" in message:
            record.msg, record.args = _KEY.sub("sk_…", message), None
        return True


class ServerLogger(Logger):
    """Sends gunicorn's records to our handlers."""

    def setup(self, cfg: Any) -> None:
        """Add no handlers: records propagate to those of the root logger, which `tollbook.log.setup` made."""
        self.cfg = cfg
        self.error_log.propagate = True

    def exception(self, msg: object, *args: object, **kwargs: Any) -> None:
        """Log an error with its traceback, but a client that let a send or a receive time out as a mere warning."""
        # BlockingIOError is what a socket raises when SO_RCVTIMEO expires.
        if isinstance(sys.exc_info()[1], (TimeoutError, BlockingIOError)):
            log_line(_log, logging.WARNING, "cut off a client that neither read nor sent")
        else:
            super().exception(msg, *args, **kwargs)

    def access(self, resp: Any, req: Any, environ: Any, request_time: dt.timedelta) -> None:
        """Log a request without its query string, where somebody may have put a key."""
        del req
        log_line(
            _log,
            logging.INFO,
            environ["REQUEST_METHOD"],
            path=environ["PATH_INFO"],
            status=str(resp.status).partition(" ")[0],
            bytes=resp.sent,
            ms=round(request_time / dt.timedelta(milliseconds=1)),
            client=environ.get("REMOTE_ADDR", "-"),
        )
