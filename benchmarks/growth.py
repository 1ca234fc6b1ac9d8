"""How figures grow: the same work 1, 10 and 100 times, and what a unit of it costs then.

Each is another benchmark's own measurement, mostly in processor time, so that other work on the machine changes little.
The largest sizes are left out that would not be done within `minutes`, by what the smaller ones took.
"""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks import archive_run, planning, prune, rerate
from benchmarks.api import Client
from benchmarks.database import database, fill_calls
from benchmarks.events import Workload, feeder, listen
from benchmarks.figure import TIMES, Figure, medians
from benchmarks.plot import Panel, svg
from benchmarks.processes import cpu_s, highest_mb, running, server_cpu_s
from tests.factories import BUSY, call
from tests.paths import ROOT
from tollbook.store import keys
from tollbook.store.calls import call_rows
from tollbook.store.database import connect
from tollbook.store.days.partitions import make_ready
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY

_TIMEOUT_S = 600.0
_UP = 50
_START = 1_790_000_000_000
_DAYS = 30
_ACCOUNT = "account3"
_DEPTHS = (1, 10, 100, 1_000)
_PAGE_ROWS = 20
_PAGES = 50
_BATCH = 100
_PLOT = ROOT / "docs" / "growth.svg"
MEMORY = "highest memory of "

#: What was measured of one size: the values by the names of the lines. Those that begin with MEMORY are of that plot.
Values = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Job:
    """Something that is measured in three sizes; `x` is what they count, `unit` what the values are."""

    title: str
    unit: str
    x: str
    sizes: Sequence[int]
    measure: Callable[[int], Values]


def _listener(calls: int) -> Values:
    """Play calls beside 50 that are up, as fast as they are read; count what listener and PostgreSQL take."""
    rows = Workload.of(calls).rows.total()
    with (
        database() as settings,
        connect(settings.require_database_url(), name="bench", autocommit=True) as connection,
        feeder(calls, "json", up=_UP) as ports,
    ):
        make_ready(connection)
        with listen(settings, ports) as listener:
            deadline, complete, begun = time.monotonic() + _TIMEOUT_S, 0, None
            while complete < rows:
                assert time.monotonic() < deadline, f"{complete} of {rows} rows after {_TIMEOUT_S:.0f} s"
                time.sleep(0.05 if begun else 0.005)
                ((seen, complete),) = connection.execute("SELECT count(*), count(end_ts) FROM call_cdr").fetchall()
                if begun is None and seen:  # what the start took is not counted
                    begun = cpu_s(listener.pid), server_cpu_s(connection)
            assert begun is not None
            return {
                "listener": (cpu_s(listener.pid) - begun[0]) / rows * 1e6,
                "PostgreSQL": (server_cpu_s(connection) - begun[1]) / rows * 1e6,
                f"{MEMORY}listener": highest_mb(listener.pid),
            }


def _window(calls: int) -> Values:
    """Keep so many calls of 30 days; count PostgreSQL's processor time for a page of the API, and for 100 more rows."""
    with _serving(calls) as (client, url), connect(url, name="bench", autocommit=True) as connection:

        def server_ms(work: Callable[[int], object]) -> float:
            begun_s = server_cpu_s(connection)
            for number in range(_PAGES):
                work(number)
            return (server_cpu_s(connection) - begun_s) / _PAGES * 1000

        with connect(url, name="writer", autocommit=True) as writer:
            until = _START + _DAYS * MS_PER_DAY
            page_ms = server_ms(lambda _: client.get(f"limit={_BATCH}"))
            batch_ms = server_ms(
                lambda number: call_rows.upsert(
                    writer, [call(f"new-{number}-{one}", _ACCOUNT, until - 1 - one, **BUSY) for one in range(_BATCH)]
                )
            )
        return {"a page of 100": page_ms, "100 rows written": batch_ms}


@contextlib.contextmanager
def _serving(calls: int) -> Iterator[tuple[Client, str]]:
    """Fill a window with calls of 10 accounts, and serve it; yield a client of one account, and the database's URL."""
    with database() as settings, contextlib.ExitStack() as stack:
        url = settings.require_database_url()
        with connect(url, name="bench", autocommit=True) as connection:
            fill_calls(connection, calls, accounts=10, since=_START, span=_DAYS * MS_PER_DAY)
            tariffs.add_account(connection, tariffs.Account(account_id=_ACCOUNT, name=_ACCOUNT, plan_id=None))
            key = keys.create(connection, account_id=_ACCOUNT, scopes=["cdr"])[1]
        with socket.create_server(("127.0.0.1", 0)) as found:
            port = found.getsockname()[1]
        ours = {"database_url": url, "data_dir": str(settings.data_dir), "rate_limit": "1000000"}
        stack.enter_context(running("serve", api_bind=f"127.0.0.1:{port}", **ours))
        client = Client(port, key)
        client.wait_until_up()
        yield client, url


def _depths() -> dict[int, float]:
    """Return the time of pages of 20 rows by their depth, in ms, medians taken in turn."""
    with _serving(10 * _PAGE_ROWS * _DEPTHS[-1] * 11 // 10) as (client, _):
        cursors = [client.page_after(depth - 1, _PAGE_ROWS) for depth in _DEPTHS]
        times = medians(
            9, *(lambda cursor=cursor: client.get(f"format=csv&limit={_PAGE_ROWS}{cursor}") for cursor in cursors)
        )
    return {depth: time_s * 1000 for depth, time_s in zip(_DEPTHS, times, strict=True)}


def _of(figures: Iterator[Figure]) -> Values:
    return {figure.what: figure.value for figure in figures}


def _archive_run(calls: int) -> Values:
    found, of = _of(archive_run.run(calls=calls, most=calls)), f"archive run of {calls:,} rows"
    return {
        "the command": found[f"{of}: the command"],
        "PostgreSQL": found[f"{of}: PostgreSQL"],
        f"{MEMORY}archive run": found[f"{of}: highest"],
    }


def _prune(calls: int) -> Values:
    found = _of(prune.run(calls=calls, moved=min(calls // 100, 2_000), report_s=1))
    return {part: found[f"nobody reads: {part}"] / calls * 1e6 for part in ("verified", "dropped")}


def _rerate(calls: int) -> Values:
    found, of = _of(rerate.run(calls=calls)), f"a re-rate of {calls:,} archived calls"
    return {"re-rate": 1e6 / found[of], f"{MEMORY}re-rate": found[f"{of}: highest"]}


def _planning(files: int) -> Values:
    found = _of(planning.run(files=files, rounds=1))
    return {"of a compaction": found["planning a compaction"], "of a reader": found["a reader's plan"]}


JOBS = (
    Job(title="a call recorded", unit="µs of CPU", x="calls", sizes=(600, 6_000, 60_000), measure=_listener),
    Job(title="archive run, a row", unit="µs of CPU", x="rows", sizes=(6_000, 60_000, 600_000), measure=_archive_run),
    Job(title="planning, a file", unit="µs of CPU", x="files", sizes=(600, 6_000, 60_000), measure=_planning),
    Job(title="prune, a call of the day", unit="µs", x="calls", sizes=(5_000, 50_000, 500_000), measure=_prune),
    Job(title="re-rate, an archived call", unit="µs", x="calls", sizes=(12_000, 120_000, 1_200_000), measure=_rerate),
    Job(
        title="PostgreSQL, by what the window holds", unit="ms of CPU", x="calls in the window",
        sizes=(300_000, 3_000_000, 30_000_000), measure=_window,
    ),
)  # fmt: skip


def run(*, minutes: int = 10, sizes: int = 3, plot: int = 0) -> Iterator[Figure]:
    """Yield what a unit costs in each of `sizes` sizes, and against the smallest; `plot=1` draws docs/growth.svg."""
    deadline_s = time.monotonic() + minutes * 60
    took = {job.title: list[float]() for job in JOBS}
    lines = {job.title: dict[str, list[tuple[float, float]]]() for job in JOBS}
    memory: dict[str, list[tuple[float, float]]] = {}
    for step in range(sizes):
        for job in JOBS:
            if step > 1 and time.monotonic() + _expected_s(took[job.title]) > deadline_s:
                continue
            begun_s = time.monotonic()
            values = job.measure(job.sizes[step])
            took[job.title].append(time.monotonic() - begun_s)
            yield from _figures(job, step, values, lines[job.title], memory)
    pages = _depths()
    for depth, time_ms in pages.items():
        yield Figure(what=f"page {depth:,} of {_PAGE_ROWS} rows", value=time_ms, unit="ms")
    if plot:
        panels = [Panel(title=f"{job.title}, {job.unit}", x=job.x, lines=lines[job.title], log=True) for job in JOBS]
        panels.append(
            Panel(title="a page of the API, ms", x="its depth", lines={"20 rows": [*pages.items()]}, log=True)
        )
        panels.append(Panel(title="highest memory, MB", x="times the smallest work", lines=memory, log=True))
        _PLOT.write_text(svg(panels))


def _expected_s(took: Sequence[float]) -> float:
    """Return how long ten times the work takes: a start, and as much more for each unit as the last step showed."""
    return took[-1] + 10 * (took[-1] - took[-2])


def _figures(
    job: Job,
    step: int,
    values: Values,
    lines: dict[str, list[tuple[float, float]]],
    memory: dict[str, list[tuple[float, float]]],
) -> Iterator[Figure]:
    """Yield what was measured of a size, and put it into the lines of its plot, and of that of memory."""
    size, times = job.sizes[step], 10**step
    for name, value in values.items():
        if name.startswith(MEMORY):
            memory.setdefault(name.removeprefix(MEMORY), []).append((times, value))
            yield Figure(what=f"{size:,} {job.x}: {name}", value=value, unit="MB")
            continue
        lines.setdefault(name, []).append((size, value))
        of = f"{job.title}, {size:,} {job.x}: {name}"
        yield Figure(what=of, value=value, unit=job.unit)
        if step and (least := lines[name][0][1]):  # a tick of processor time is 10 ms
            yield Figure(what=f"{of}, against {times} times less", value=value / least, unit=TIMES)
