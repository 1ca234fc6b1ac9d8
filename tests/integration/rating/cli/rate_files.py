"""Rate files, and the rates that are there."""

from collections.abc import Callable

import psycopg

DECK = "prefix,per_min,increment,name\n49,0.012,60/60,Germany\n4930,0.01,1/1,Berlin\n"


Deck = Callable[[str | bytes], str]


def rates(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT plan_id, currency, prefix, per_min_micros, first_increment_sec, increment_sec, name"
            " FROM rate JOIN rate_plan USING (plan_id) WHERE until_version IS NULL ORDER BY plan_id, prefix"
        ).fetchall()
