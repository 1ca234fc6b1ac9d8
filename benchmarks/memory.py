"""The listener's memory: 10,000 calls up, and many more that come and go.

The resident set of `tollbook listen` is read from /proc while the calls are played; it must stay under 200 MB and must
not grow with the number of calls that are gone. The figures in docs/performance.md are for `calls=1000000`.
"""

import time
from collections.abc import Iterator

from benchmarks.database import database
from benchmarks.events import Workload, feeder, listen
from benchmarks.figure import Figure, at_most
from benchmarks.processes import resident_mb
from tollbook.store.database import connect

_EVERY_S = 0.5
_TIMEOUT_S = 3600.0


def run(*, calls: int = 60_000, up: int = 10_000) -> Iterator[Figure]:
    """Yield the resident set as the calls go by, and the highest."""
    load = Workload.of(calls)
    rows = load.rows.total()
    with (
        database() as settings,
        connect(settings.require_database_url(), name="bench", autocommit=True) as connection,
        feeder(calls, "json", up=up) as ports,
        listen(settings, ports) as listener,
    ):
        seen: list[float] = []
        complete, step, deadline = 0, max(1, rows // 10), time.monotonic() + _TIMEOUT_S
        while complete < rows:
            time.sleep(_EVERY_S)
            assert listener.poll() is None, f"{complete} of {rows} rows, and the listener ended"
            assert time.monotonic() < deadline, f"{complete} of {rows} rows after {_TIMEOUT_S:.0f} s"
            ((complete,),) = connection.execute("SELECT count(end_ts) FROM call_cdr").fetchall()
            seen.append(resident_mb(listener.pid))
            if complete >= step:
                yield Figure(what=f"{complete:,} rows complete", value=seen[-1], unit="MB")
                step += max(1, rows // 10)
        yield Figure(what="highest", value=max(seen), unit="MB", bound=at_most(200))
        load.check(connection)
        open_rows = connection.execute("SELECT count(*) FROM call_cdr WHERE end_ts IS NULL").fetchall()
        assert open_rows == [(up,)], open_rows
