"""Logging for all processes: one line an event on standard error, `key=value` after the message.

systemd's journal adds time and unit; a terminal gets the time from us.
"""

import logging
import os
import sys
from typing import Any

# Values that callers chose can hold escape sequences; a log line must stay one line of plain text.
_UNPRINTABLE = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


def printable(value: object) -> str:
    """Make a value fit for a log line or a terminal: control characters escaped, at most 200 characters."""
    text = str(value).translate(_UNPRINTABLE)
    return text if len(text) <= 200 else f"{text[:200]}…"


def setup(level: str = "info") -> None:
    """Send log records of `level` and above to standard error."""
    under_systemd = "JOURNAL_STREAM" in os.environ
    form = "%(levelname)s %(name)s: %(message)s"
    logging.basicConfig(
        level=level.upper(),
        stream=sys.stderr,
        format=form if under_systemd else f"%(asctime)s {form}",
        force=True,
    )


def event(logger: logging.Logger, level: int, message: str, **fields: Any) -> None:
    """Log `message` followed by ` key=value` for each field, each value made printable."""
    if logger.isEnabledFor(level):
        told = "".join(f" {name}={printable(value)}" for name, value in fields.items())
        logger.log(level, "%s%s", message, told)
