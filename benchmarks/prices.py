"""What it costs the listener that every former price is kept: batches with the trigger on `call_cdr` and without it.

Batches of 500 legs as the listener writes them, each in its transaction. First calls begin and end, as nearly all do:
the trigger is asked and keeps nothing. Then the same calls get a late leg that makes them dearer: it keeps 500 prices a
batch. Both sides are timed in turn.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Final, LiteralString

from benchmarks.database import database
from benchmarks.figure import TIMES, Figure
from tests.factories import leg
from tollbook.model.charge import Price, PricedCharge
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Leg
from tollbook.model.record import Row
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import Connection, connect
from tollbook.store.days.partitions import Partitions
from tollbook.times import US_PER_SECOND

_BATCH = 500
_SWITCHES: Final[dict[str, LiteralString]] = {
    "on": "ALTER TABLE call_cdr ENABLE TRIGGER keep_price",
    "off": "ALTER TABLE call_cdr DISABLE TRIGGER keep_price",
}


@dataclass(frozen=True, kw_only=True)
class _Times:
    plain: list[float]
    late: list[float]


def run(*, rounds: int = 40) -> Iterator[Figure]:
    """Yield the times of a batch with the trigger, and their ratios to those without."""
    with database() as settings, connect(settings.require_database_url(), name="bench") as connection:
        partitions = Partitions()
        sides = {state: _Times(plain=[], late=[]) for state in _SWITCHES}
        for number in range(-2, rounds):  # the first two warm up
            for turn, (state, times) in enumerate(sorted(sides.items(), reverse=bool(number % 2))):
                connection.execute(_SWITCHES[state])
                connection.commit()
                plain_s, late_s = _round(connection, partitions, f"{number}-{turn}")
                if number >= 0:
                    times.plain.append(plain_s)
                    times.late.append(late_s)
        ((kept,),) = connection.execute("SELECT count(*) FROM price_history").fetchall()
        assert kept == (rounds + 2) * _BATCH, kept
    for what, of in (("calls that begin and end", lambda t: t.plain), ("late legs, dearer calls", lambda t: t.late)):
        ours, without = (median(of(sides[state])) for state in ("on", "off"))
        yield Figure(what=f"a batch of {_BATCH} legs, {what}", value=ours * 1000, unit="ms")
        yield Figure(what=f"{what}, time against no trigger", value=ours / without, unit=TIMES)


def _round(connection: Connection, partitions: Partitions, name: str) -> tuple[float, float]:
    """Return the seconds of the batches in which calls begin and end, and of that with their late legs."""
    begin = time.time_ns() // 1000 - 3600 * US_PER_SECOND
    roots = [(f"{name}-{number}", begin + number) for number in range(_BATCH)]
    ups = [leg(uid, start_us=at) for uid, at in roots]
    ends = [leg(uid, start_us=at, end_us=at + 60 * US_PER_SECOND, answered_us=at) for uid, at in roots]
    longer_us = 90 * US_PER_SECOND
    late = [leg(f"{uid}-b", start_us=at + 1, end_us=at + longer_us, parent=uid, answered_us=at) for uid, at in roots]
    plain_s = _timed(lambda: _write(connection, partitions, ups)) + _timed(lambda: _write(connection, partitions, ends))
    return plain_s / 2, _timed(lambda: _write(connection, partitions, late))


def _write(connection: Connection, partitions: Partitions, legs: list[Leg]) -> None:
    write_batch(connection, legs, FoldSettings(), _price, partitions)


def _price(row: Row) -> Price:
    """Price a call by its length: the leg that comes late lasts longer, and makes it dearer."""
    seconds = row.duration_sec or 0
    part = PricedCharge(direction="outbound", number="49", seconds=seconds, cost_micros=seconds)
    return Price(cost_micros=seconds, parts=(part,), currency="EUR")


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
