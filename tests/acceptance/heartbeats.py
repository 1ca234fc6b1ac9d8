"""The heartbeats that a listener has heard, as it stores them."""

import psycopg

from tests.waiting import wait_until


def wait_for_heartbeats(url: str, count: int) -> int:
    """Wait until `count` more heartbeats of the only switch were heard; return when the last was sent (epoch µs).

    Every event is a sign of life, so this is for a switch on which no call goes on any more. The last events of calls
    may still be on their way to the database: one change more is waited for.
    """
    with psycopg.connect(url, autocommit=True) as connection:

        def newest() -> tuple[int, int]:
            row = connection.execute(
                "SELECT sequence, seen_us FROM switch_process ORDER BY sequence DESC LIMIT 1"
            ).fetchone()
            return row or (0, 0)

        sign = newest()
        for _ in range(count + 1):
            sign = wait_until(lambda before=sign: (now := newest()) > before and now)
    return sign[1]
