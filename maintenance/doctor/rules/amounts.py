"""How findings write durations and sizes."""

from tollbook.times import SECONDS_PER_DAY, SECONDS_PER_HOUR


def age(seconds: float) -> str:
    """Return a duration in the largest unit that fits: `12 s`, `5 min`, `3 h`, `2 days`."""
    for unit, length, limit in (
        ("s", 1, 120),
        ("min", 60, 2 * SECONDS_PER_HOUR),
        ("h", SECONDS_PER_HOUR, 2 * SECONDS_PER_DAY),
    ):
        if seconds < limit:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / SECONDS_PER_DAY:.0f} days"


def size(count: int) -> str:
    """Return a number of bytes in the largest unit that fits."""
    for unit, length in (("TiB", 1024**4), ("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if count >= length:
            return f"{count / length:.1f} {unit}"
    return f"{count} bytes"
