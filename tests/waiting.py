"""The one way in which tests wait: for a condition, with a limit."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T], timeout_s: float = 30.0, *, every_s: float = 0.02, what: Callable[[], object] = str
) -> T:
    """Return the first true value of `condition`, which is called again and again.

    Fails after `timeout_s` seconds with the last value, and with what `what()` returns: a log, for instance.
    """
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"still {value!r} after {timeout_s} s {what()}"
        time.sleep(every_s)
    return value
