"""The heartbeats that a listener has heard, as it stores them."""

import psycopg

from tests.waiting import wait_until


def wait_for_heartbeats(url: str, count: int) -> int:
    """Wait until `count` more heartbeats of the only switch were heard; return when the last was sent (epoch µs)."""
    with psycopg.connect(url, autocommit=True) as connection:

        def last_us() -> int:
            return connection.execute("SELECT coalesce(max(seen_us), 0) FROM switch_process").fetchone()[0]

        seen_us = last_us()
        for _ in range(count):
            seen_us = wait_until(lambda before_us=seen_us: (now_us := last_us()) > before_us and now_us)
    return seen_us
