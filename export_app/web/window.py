"""The time that a question is about, [since, until) in epoch ms. Pure."""

from typing import Final

from pydantic_core import PydanticCustomError

from tollbook.times import MS_PER_DAY

DEFAULT_WINDOW_MS: Final = 30 * MS_PER_DAY


def check_order(since: int | None, until: int | None) -> None:
    """Raise PydanticCustomError for a time that ends before it begins."""
    if since is not None and until is not None and since > until:
        raise PydanticCustomError("order", "since must not be later than until: swap them")


def window_of(since: int | None, until: int | None, *, now_ms: int) -> tuple[int, int]:
    """Return what a question asks for at a moment: left out, the last DEFAULT_WINDOW_MS; and nothing in the future."""
    end = now_ms if until is None else min(until, now_ms)
    return max(0, end - DEFAULT_WINDOW_MS) if since is None else min(since, end), end
