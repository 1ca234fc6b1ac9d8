"""gunicorn's log in our format, and an access log without queries and keys."""

import datetime as dt
import logging
import re
import sys
from typing import Any, Final

from gunicorn.glogging import Logger

from tollbook.log import log_line

_log = logging.getLogger("tollbook.serve")

_KEY: Final = re.compile(r"sk_[A-Za-z0-9_-]+")


class NoKeys(logging.Filter):
    """Blots out API keys: gunicorn quotes a request that it cannot read."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every record, without the keys in it."""
        message = record.getMessage()
        if "sk_" in message:
            record.msg, record.args = _KEY.sub("sk_…", message), None
        return True


class ServerLogger(Logger):
    """Hands gunicorn's records to our handlers."""

    def setup(self, cfg: Any) -> None:
        """Leave the loggers to the root's handlers, which `tollbook.log.setup` made."""
        self.cfg = cfg
        self.error_log.propagate = True

    def exception(self, msg: object, *args: object, **kwargs: Any) -> None:
        """Log an error with its traceback; a client that let a send or a receive time out is no error of ours."""
        # BlockingIOError is how SO_RCVTIMEO ends.
        if isinstance(sys.exc_info()[1], (TimeoutError, BlockingIOError)):
            log_line(_log, logging.WARNING, "cut off a client that neither read nor sent")
        else:
            super().exception(msg, *args, **kwargs)

    def access(self, resp: Any, req: Any, environ: Any, request_time: dt.timedelta) -> None:
        """Log a request: never its query, where somebody may have put a key."""
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
