"""What counting every call costs the listener: events a second with the triggers that note sums, and without them.

With `events=1`, what it costs that events could be noted, of accounts without an endpoint, as nearly all are.

Ours is the whole `tollbook listen`, as in `events.py`, which folds the sums every ten seconds meanwhile. The sides take
turns on one server.
"""

import statistics
from collections.abc import Iterator
from typing import Final, LiteralString

from benchmarks.database import database
from benchmarks.events import committed
from benchmarks.figure import TIMES, Figure, at_least
from tollbook.store.database import connect
from tollbook.store.days.partitions import make_ready

_COUNT: Final[tuple[LiteralString, ...]] = ("count_inserted", "count_updated", "count_deleted")
_NOTE: Final[tuple[LiteralString, ...]] = ("event_of_insert", "event_of_update", "event_of_delete")


def run(*, calls: int = 20_000, rounds: int = 3, events: int = 0) -> Iterator[Figure]:
    """Yield the events a second with the triggers, and their ratio to those without."""
    done = "noted" if events else "counted"
    with database() as settings, connect(settings.require_database_url(), name="bench", autocommit=True) as connection:
        make_ready(connection)  # as `tollbook db upgrade` does
        rates: dict[bool, list[float]] = {True: [], False: []}
        committed(calls // 10, settings, connection)  # warms up
        for number in range(rounds):
            for counted in (True, False) if number % 2 else (False, True):
                for trigger in _NOTE if events else _COUNT:
                    connection.execute(f"ALTER TABLE call_cdr {'ENABLE' if counted else 'DISABLE'} TRIGGER {trigger}")
                rates[counted].append(committed(calls, settings, connection).events)
        ((noted,),) = connection.execute("SELECT (SELECT count(*) FROM sum_delta) + (SELECT count(*) FROM call_sum)")
        assert noted, "no call was counted"
    pairs = [ours / without for ours, without in zip(rates[True], rates[False], strict=True)]
    yield Figure(what=f"events, every call {done}", value=statistics.median(rates[True]), unit="events/s")
    low, _, high = statistics.quantiles(pairs, n=4, method="inclusive")
    yield Figure(what=f"lower quartile of the pairs, against none {done}", value=low, unit=TIMES)
    yield Figure(what=f"upper quartile of the pairs, against none {done}", value=high, unit=TIMES)
    ratio = statistics.median(pairs)
    yield Figure(what=f"events, against none {done}", value=ratio, unit=TIMES, bound=at_least(0.95))
