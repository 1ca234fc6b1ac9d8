"""Everything at once, at a pace: switches, listener, PostgreSQL with fsync, archiver, API, and who reads it.

`rate` calls a second, for `seconds`, come from each of `switches` simulated switches, ten times as fast as recorded, to
the installed `tollbook listen`. Every minute `tollbook archive run` starts, as its timer would. Of `tollbook serve` a
client keeps a copy by `updated_since`, another reads the newest 100 calls every second. In the end everything is
archived, and what rows, archive and copy hold is compared: as many calls, the same seconds and the same cost.
"""

import contextlib
import itertools
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.compute as pc

import tollbook.demo
from benchmarks.api import Client
from benchmarks.database import database, recycle_wal
from benchmarks.events import Workload, listen
from benchmarks.figure import Figure, at_most
from benchmarks.pace import NOTIFY, completions, last_hangups, paced_switch, read_times
from benchmarks.plot import Panel, svg
from benchmarks.processes import cpu_s, resident_mb, run_to_end, running, server_cpu_s, server_mb
from tests.paths import ROOT
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.store.database import Connection, connect
from tollbook.store.days.partitions import make_ready

# How much later than played the last row may be: beyond that something is lost, or hopelessly late.
_LATE_S = 300.0
_ARCHIVE_EVERY_S = 60.0
_LOOK_EVERY_S = 1.0
_SAMPLE_EVERY_S = 2.0
_BUCKET_S = 10
_FIELDS = "start_ts,call_id,switch,end_ts,billsec,cost_micros"
_LATENCY_MS = {300: 20.0}
_SUMS = "SELECT count(*), sum(billsec), sum(cost_micros), count(cost_micros) FROM call_cdr WHERE end_ts IS NOT NULL"
_PLOT = ROOT / "docs" / "endtoend.svg"

Sums = tuple[int, int, int, int]


@dataclass(kw_only=True)
class _Seen:
    """What was seen while it ran: samples of each process as (s, MB) and (s, s of CPU), and how long readers waited."""

    begun_s: float
    memory: dict[str, list[tuple[float, float]]] = field(default_factory=dict[str, list[tuple[float, float]]])
    used: dict[str, list[tuple[float, float]]] = field(default_factory=dict[str, list[tuple[float, float]]])
    newest_ms: list[float] = field(default_factory=list[float])
    archived: list[tuple[float, float, float, float]] = field(default_factory=list[tuple[float, float, float, float]])
    copy: dict[tuple[int, str, str], tuple[int | None, int | None, int | None]] = field(
        default_factory=dict[tuple[int, str, str], tuple[int | None, int | None, int | None]]
    )

    def now_s(self) -> float:
        return time.monotonic() - self.begun_s

    def sample(self, name: str, memory_mb: float, used_s: float) -> None:
        self.memory.setdefault(name, []).append((self.now_s(), memory_mb))
        self.used.setdefault(name, []).append((self.now_s(), used_s))


def run(*, rate: int = 500, seconds: int = 60, switches: int = 1, plot: int = 0) -> Iterator[Figure]:
    """Yield what came through, how late, and what each process took; `plot=1` draws docs/endtoend.svg."""
    calls = rate * seconds
    with contextlib.ExitStack() as stack:
        settings = stack.enter_context(database())
        connection, told = (
            stack.enter_context(connect(settings.require_database_url(), name=name, autocommit=True))
            for name in ("bench", "told")
        )
        make_ready(connection)
        load = Workload.of(calls, switches)
        key = _prepare(settings, load)
        connection.execute(NOTIFY)
        recycle_wal(connection)
        told.execute("LISTEN complete")
        seen, sent = _Seen(begun_s=time.monotonic()), dict[str, float]()
        api, client = stack.enter_context(_serving(settings, key))
        playing = [stack.enter_context(paced_switch(rate, calls)) for _ in range(switches)]
        ports = [int(process.stdout.readline()) for process in playing if process.stdout]
        for process in playing:
            threading.Thread(target=read_times, args=(process.stdout, sent), daemon=True).start()
        listener = stack.enter_context(listen(settings, ports))
        processes = {"listener": [listener.pid], "API": [api], "switches": [process.pid for process in playing]}
        over = threading.Event()
        with ThreadPoolExecutor() as pool:
            tasks = [
                pool.submit(_every, over, _SAMPLE_EVERY_S, lambda: _sample(seen, processes, connection)),
                pool.submit(_every, over, _ARCHIVE_EVERY_S, lambda: _archive(seen, settings)),
                pool.submit(_every, over, _LOOK_EVERY_S, lambda: _look(seen, client)),
                pool.submit(_copy, over, seen, client),
            ]
            try:
                visible = completions(told, load.rows.total(), seconds + _LATE_S, lambda: _raise_failed(tasks))
            finally:
                over.set()
            for task in tasks:
                task.result()
        _archive(seen, settings, "--now")
        deadline = time.monotonic() + _LATE_S
        # The switches print them when they have played everything.
        while not (ended := last_hangups(connection, sent)).keys() >= visible.keys():
            assert time.monotonic() < deadline, "a switch did not say when it sent each end"
            time.sleep(0.1)
        load.check(connection)
        yield from _found(settings, connection, seen)
    yield from _figures(seen, rate, seconds, switches, visible, ended)
    if plot:
        _PLOT.write_text(_draw(seen, visible, ended))


def _prepare(settings: Settings, load: Workload) -> str:
    """Import the demo's rates and make the accounts of the calls; return an operator's key."""
    rates = Path(tollbook.demo.__file__).with_name("rates.csv")
    run_to_end("rates", "import", str(rates), "--plan", "demo", settings=settings)
    for account in sorted({str(row[0]) for row in load.rows if row[0] is not None}):
        run_to_end("account", "add", account, "--plan", "demo", settings=settings)
    return run_to_end("key", "create", "--operator", settings=settings).output.strip()


@contextlib.contextmanager
def _serving(settings: Settings, key: str) -> Iterator[tuple[int, Client]]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    ours = {"database_url": settings.require_database_url(), "data_dir": str(settings.data_dir)}
    with running("serve", api_bind=f"127.0.0.1:{port}", rate_limit="1000000", **ours) as process:
        client = Client(port, key)
        client.wait_until_up()
        yield process.pid, client


def _every(over: threading.Event, every_s: float, act: Callable[[], None]) -> None:
    while not over.wait(every_s):
        act()


def _sample(seen: _Seen, processes: dict[str, list[int]], connection: Connection) -> None:
    for name, pids in processes.items():
        seen.sample(name, sum(map(resident_mb, pids)), sum(map(cpu_s, pids)))
    seen.sample("PostgreSQL", server_mb(connection), server_cpu_s(connection))


def _archive(seen: _Seen, settings: Settings, *words: str) -> None:
    """Run the archiver to its end, and note when it began, its time, its processor time and its highest memory."""
    at_s = seen.now_s()
    ended = run_to_end("archive", "run", *words, settings=settings)
    seen.archived.append((at_s, ended.took_s, ended.cpu_s, ended.highest_mb))


def _look(seen: _Seen, client: Client) -> None:
    begun = time.monotonic()
    client.get("limit=100")
    seen.newest_ms.append((time.monotonic() - begun) * 1000)


def _copy(over: threading.Event, seen: _Seen, client: Client) -> None:
    """Keep a copy of all calls by their changes, once more after the end."""
    following, last = "updated_since=0", False
    while True:
        page: dict[str, Any] = msgspec.json.decode(client.get(f"{following}&limit=10000&fields={_FIELDS}")[1])
        for row in page["rows"]:
            kept = (row["end_ts"], row["billsec"], row["cost_micros"])
            seen.copy[row["start_ts"], row["call_id"], row["switch"]] = kept
        for gone in page.get("deleted", ()):
            seen.copy.pop((gone["start_ts"], gone["call_id"], gone["switch"]), None)
        following = f"cursor={page.get('next_cursor') or page['sync_cursor']}"
        if "sync_cursor" in page:
            if last:
                return
            last = over.wait(_LOOK_EVERY_S)


def _raise_failed(tasks: list[Future[None]]) -> None:
    """Raise what a task failed with, instead of waiting for what it cannot give any more."""
    for task in tasks:
        if task.done():
            task.result()


def _found(settings: Settings, connection: Connection, seen: _Seen) -> Iterator[Figure]:
    """Compare the three places, and yield what each holds."""
    row = connection.execute(_SUMS).fetchone()
    assert row is not None
    rows: Sums = (row[0], int(row[1]), int(row[2]), row[3])
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        columns = table.scan(selected_fields=("billsec", "cost_micros")).to_arrow()
    billsec, cost = columns["billsec"], columns["cost_micros"]
    archive: Sums = (len(columns), pc.sum(billsec).as_py(), pc.sum(cost).as_py(), pc.count(cost).as_py())
    ended = [kept for kept in seen.copy.values() if kept[0] is not None]
    costs = [cost for _, _, cost in ended if cost is not None]
    copy: Sums = (len(ended), sum(seconds or 0 for _, seconds, _ in ended), sum(costs), len(costs))
    assert rows == archive == copy, (rows, archive, copy)
    yield Figure(what="calls, equal in rows, archive and a copy read from the API", value=rows[0], unit="calls")
    yield Figure(what="their seconds, equal in all three", value=rows[1], unit="s")
    yield Figure(what="their cost, equal in all three", value=rows[2] / 1e6, unit="EUR")


def _waits_ms(visible: dict[str, float], sent: dict[str, float]) -> list[float]:
    waits_ms = sorted((at_s - sent[call_id]) * 1000 for call_id, at_s in visible.items())
    assert waits_ms[0] > 0, "a row was complete before its last leg hung up"
    return waits_ms


def _figures(
    seen: _Seen, rate: int, seconds: int, switches: int, visible: dict[str, float], sent: dict[str, float]
) -> Iterator[Figure]:
    ends = [sent[call_id] for call_id in visible]
    took_s = max(ends) - min(ends)
    asked = rate * switches
    yield Figure(what="calls that ended", value=len(ends) / took_s, unit=f"a second, of {asked} asked for")
    waits_ms = _waits_ms(visible, sent)
    yield Figure(what="hangup to row, half within", value=statistics.median(waits_ms), unit="ms")
    bound = at_most(_LATENCY_MS[asked]) if asked in _LATENCY_MS else None
    yield Figure(what="hangup to row, 99 % within", value=waits_ms[len(waits_ms) * 99 // 100], unit="ms", bound=bound)
    yield Figure(what="hangup to row, longest", value=waits_ms[-1], unit="ms")
    for name, samples in seen.used.items():
        (first_s, before), (last_s, after) = samples[0], samples[-1]
        share = 100 * (after - before) / (last_s - first_s)
        yield Figure(what=f"{name}: CPU", value=after, unit=f"s ({share:.0f} % of a core)")
    archiver_s = sum(used_s for _, _, used_s, _ in seen.archived)
    yield Figure(what=f"archive run, {len(seen.archived)} times: CPU", value=archiver_s, unit="s")
    for name, samples in seen.memory.items():
        values = [value for _, value in samples]
        bound = at_most(200) if name == "listener" else None
        yield Figure(what=f"{name}: highest", value=max(values), unit="MB", bound=bound)
        late = values[len(values) // 2 :]
        yield Figure(what=f"{name}: second half, mean", value=statistics.mean(late), unit="MB")
    highest = max(highest for _, _, _, highest in seen.archived)
    yield Figure(what="archive run: highest", value=highest, unit="MB", bound=at_most(300))
    yield Figure(what="newest 100 calls from the API, half within", value=statistics.median(seen.newest_ms), unit="ms")


def _draw(seen: _Seen, visible: dict[str, float], sent: dict[str, float]) -> str:
    """Return the plot: how late rows are, and memory and processor time of each process, over time."""
    buckets: dict[int, list[float]] = {}
    for call_id, at_s in visible.items():
        buckets.setdefault(int((sent[call_id] - seen.begun_s) // _BUCKET_S), []).append((at_s - sent[call_id]) * 1000)
    waits = {name: list[tuple[float, float]]() for name in ("half within", "99 % within")}
    for bucket, found in sorted(buckets.items()):
        found.sort()
        waits["half within"].append((bucket * _BUCKET_S, statistics.median(found)))
        waits["99 % within"].append((bucket * _BUCKET_S, found[len(found) * 99 // 100]))
    used = {name: _rates(samples) for name, samples in seen.used.items()}
    used["archive run"] = [(at_s, used_s / took_s) for at_s, took_s, used_s, _ in seen.archived]
    memory = {name: _thinned(samples) for name, samples in seen.memory.items()}
    memory["archive run"] = [(at_s, highest) for at_s, _, _, highest in seen.archived]
    panels = [
        Panel(title=f"hangup to row, ms, of the calls of {_BUCKET_S} s", x="s", lines=waits),
        Panel(title="resident memory, MB", x="s", lines=memory),
        Panel(title="cores at work", x="s", lines=used),
    ]
    return svg(panels, columns=1)


def _thinned(samples: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return samples[:: max(1, len(samples) // 150)]


def _rates(samples: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return how much of a core was used between samples that are some 10 s apart."""
    kept = samples[:: max(1, round(_BUCKET_S / _SAMPLE_EVERY_S))]
    return [
        (later_s, (after - before) / (later_s - at_s)) for (at_s, before), (later_s, after) in itertools.pairwise(kept)
    ]
