"""What no log record may contain: API keys, and characters that end a line or steer a terminal."""

import logging
import re
from typing import Final

from tollbook.log import one_line

_KEY: Final = re.compile(r"sk_[A-Za-z0-9_-]+")


class CleanRecords(logging.Filter):
    """Redacts API keys, and escapes control characters: libraries quote paths and requests as the client sent them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean a record's message; always True, which keeps the record."""
        message = record.getMessage()
        clean = _KEY.sub("sk_…", one_line(message))
        if clean != message:
            record.msg, record.args = clean, None
        return True
