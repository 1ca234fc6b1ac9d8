"""What sharing the switches out among two workers costs, in processor time: with as many cores, the rest is gain.

`tollbook listen` with one process and with two takes the same calls of four switches, as fast as it reads, in turn.
Counted is the processor time of all of the listener's processes, and of PostgreSQL with all of its.
"""

import statistics
import time
from collections.abc import Iterator

from benchmarks.database import database
from benchmarks.events import Workload, feeder, listen
from benchmarks.figure import TIMES, Figure
from benchmarks.processes import children, cpu_s, server_cpu_s
from tollbook.config import Settings
from tollbook.store.database import Connection, connect
from tollbook.store.days.partitions import make_ready

_SWITCHES = 4
_TIMEOUT_S = 300.0


def run(*, calls: int = 8_000, rounds: int = 3) -> Iterator[Figure]:
    """Yield the processor time for a call with one and with two workers, of listener and PostgreSQL, and the ratios."""
    with database() as settings, connect(settings.require_database_url(), name="bench", autocommit=True) as connection:
        make_ready(connection)
        used = {workers: list[tuple[float, float]]() for workers in (1, 2)}
        for number in range(rounds):
            for workers in (1, 2) if number % 2 == 0 else (2, 1):
                used[workers].append(_used_s(settings, connection, calls // _SWITCHES, workers))
        for part, name in enumerate(("listener", "PostgreSQL")):
            one, two = ([round_s[part] for round_s in used[workers]] for workers in (1, 2))
            for workers, times in ((1, one), (2, two)):
                value = statistics.median(times) * 1e6
                yield Figure(what=f"{name}, {workers} workers", value=value, unit="µs of CPU a call")
            ratio = statistics.median(ours / single for single, ours in zip(one, two, strict=True))
            yield Figure(what=f"{name}, 2 workers against 1", value=ratio, unit=TIMES)


def _used_s(settings: Settings, connection: Connection, calls: int, workers: int) -> tuple[float, float]:
    """Return the processor time for a call, in s, of listener and PostgreSQL. The first tenth pays for the start."""
    load = Workload.of(calls, _SWITCHES)
    rows = load.rows.total()
    connection.execute("TRUNCATE call_cdr, call_leg, archive_outbox")
    with (
        feeder(calls * _SWITCHES, "json", _SWITCHES) as ports,
        listen(settings, ports, workers=workers) as listener,
    ):
        begun_at = _wait_for(connection, rows // 10)
        processes = [listener.pid, *children(listener.pid)]

        def used_s() -> tuple[float, float]:
            return sum(map(cpu_s, processes)), server_cpu_s(connection)

        begun = used_s()
        counted = _wait_for(connection, rows) - begun_at
        ended = used_s()
    load.check(connection)
    return (ended[0] - begun[0]) / counted, (ended[1] - begun[1]) / counted


def _wait_for(connection: Connection, rows: int) -> int:
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        ((complete,),) = connection.execute("SELECT count(end_ts) FROM call_cdr").fetchall()
        if complete >= rows:
            return complete
        assert time.monotonic() < deadline, f"{complete} of {rows} rows after {_TIMEOUT_S:.0f} s"
        time.sleep(0.05)
