"""The errors of statements that add calls up."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from psycopg.errors import QueryCanceled

from tollbook.errors import QuestionTooLarge, StoreUnavailable
from tollbook.store.database import store_errors

_TOO_SLOW: Final = (
    "PostgreSQL adds up the calls of this question for longer than it may, and a part of the sums is never returned:"
    " ask for less time at once, or by time, account, direction, disposition, queue, agent or destination alone"
)


@contextmanager
def sum_errors() -> Generator[None]:
    """Raise our errors in place of psycopg's, and QuestionTooLarge when a statement met its time limit.

    The same question would meet it again, so that it is no outage, which a client would wait out.
    """
    try:
        with store_errors():
            yield
    except StoreUnavailable as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise QuestionTooLarge(_TOO_SLOW) from error
        raise
