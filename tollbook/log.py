"""Logging for all processes: one line per event on standard error, with `key=value` pairs after the message.

systemd's journal adds the time and the unit; on a terminal the line begins with the time.
"""

import logging
import os
import re
import sys
from typing import Any

# Values that callers chose can contain escape sequences; a log line must stay one line of plain text. The last ranges
# end a line, or change the direction in which it is read.
_CONTROLS = (*range(32), *range(127, 160), *range(0x2028, 0x202F), *range(0x2066, 0x206A))
_ESCAPES = {code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in _CONTROLS}
_MAX_CHARACTERS = 200
_PLAIN = re.compile(r"""[^\s"=\\]+""")
_QUOTES = {ord('"'): '\\"', ord("\\"): r"\\"}


def one_line(text: str) -> str:
    """Return a text as one line for a log or a terminal: control characters escaped."""
    return text.translate(_ESCAPES)


def printable(value: object) -> str:
    """Return a value as text for a log line or a terminal: control characters escaped, at most 200 characters."""
    text = one_line(str(value))
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}…"


def setup(level: str = "info") -> None:
    """Send log records of `level` and above to standard error."""
    under_systemd = "JOURNAL_STREAM" in os.environ
    line = "%(levelname)s %(name)s: %(message)s"
    logging.basicConfig(
        level=level.upper(),
        stream=sys.stderr,
        format=line if under_systemd else f"%(asctime)s {line}",
        force=True,
    )


def _quoted(value: object) -> str:
    """Return a value as it stands, or in quotes where it could be read as several values, or as another one's end."""
    text = str(value)
    if _PLAIN.fullmatch(text) and text.isprintable() and len(text) <= _MAX_CHARACTERS:
        return text
    return f'"{printable(text.translate(_QUOTES))}"'


def log_line(logger: logging.Logger, level: int, message: str, **fields: Any) -> None:
    """Log `message` followed by ` key=value` for each field, each value printable, and quoted if need be."""
    if logger.isEnabledFor(level):
        pairs = "".join(f" {name}={_quoted(value)}" for name, value in fields.items())
        logger.log(level, "%s%s", message, pairs)
