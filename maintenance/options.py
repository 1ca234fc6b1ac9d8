"""The values of command-line options."""

from tollbook.errors import UsageError
from tollbook.times import instant


def time_option(text: str) -> int:
    """Parse a time in ISO 8601, UTC unless it has an offset, into epoch ms; raise UsageError."""
    try:
        return instant(text)
    except ValueError as error:
        raise UsageError(str(error)) from None
