"""Times as people write them, ISO 8601, and as the database has them, epoch ms. In UTC where no offset is given."""

import datetime as dt

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MS = dt.timedelta(milliseconds=1)


def instant(text: str) -> int:
    """Read a time; raises ValueError that says how one is written."""
    try:
        when = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time like 2026-12-01 or 2026-12-01T00:00:00+01:00") from None
    # In integers: timestamp() is a float, whose milliseconds can come out one too few.
    return ((when if when.tzinfo else when.replace(tzinfo=dt.UTC)) - _EPOCH) // _MS


def written(at_ms: int) -> str:
    """Write a time so that `instant` reads it back: a date where it is midnight."""
    when = _EPOCH + at_ms * _MS
    if not (when.hour or when.minute or when.second or when.microsecond):
        return f"{when.date()}"
    return when.isoformat(timespec="milliseconds" if when.microsecond else "seconds").replace("+00:00", "Z")
