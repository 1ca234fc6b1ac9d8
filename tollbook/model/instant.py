"""Times as people write them, as epoch ms."""

import datetime as dt

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def epoch_ms(text: str) -> int:
    """Read ISO 8601, UTC unless it says otherwise; raises ValueError with a message for whoever wrote it."""
    try:
        when = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time like 2026-12-01 or 2026-12-01T08:00:00+01:00") from None
    # In integers: timestamp() is a float, whose milliseconds can come out one too few.
    return ((when if when.tzinfo else when.replace(tzinfo=dt.UTC)) - _EPOCH) // dt.timedelta(milliseconds=1)
