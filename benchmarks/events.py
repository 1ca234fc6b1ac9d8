"""Events read, folded, priced and committed a second, against stock greenswitch with an empty handler.

A separate process (`feeder.py`) sends the same recorded calls, made fresh and rendered beforehand, as fast as the
client reads. Ours is the whole `tollbook listen` with PostgreSQL on the same cores, timed until the last row is
complete in the database; stock greenswitch only reads and parses.
"""

import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.database import database
from benchmarks.feeder import EVENTS
from benchmarks.figure import TIMES, Figure, at_least
from benchmarks.processes import TICK_S, cpu_s, running, server_cpu_s
from tollbook.config import Settings
from tollbook.simulator.recording import load_all, shipped_names
from tollbook.store.database import Connection, connect
from tollbook.store.days.partitions import make_ready

_ROOT = Path(__file__).parents[1]
_TIMEOUT_S = 300.0
#: Of one switch: with calls of some ten seconds, 500 are up at once.
CALLS_PER_S = 50.0
# What a fresh copy of a recorded call has in common with it.
_KEPT = (
    "account_id", "direction", "from_num", "to_num", "duration_sec", "billsec", "answered", "disposition",
    "hangup_cause", "queue_id", "agent_id",
)  # fmt: skip

_STOCK = """
import sys, time, gevent
from gevent import monkey
monkey.patch_all()
from greenswitch import InboundESL
port, wanted = int(sys.argv[1]), int(sys.argv[2])
seen, begun, used = 0, 0.0, 0.0
class Timed(InboundESL):
    def handle_event(self, event):
        global begun, used
        if not begun and event.headers.get('Content-Type') == 'text/event-plain':
            begun, used = time.monotonic(), time.process_time()
        super().handle_event(event)
esl = Timed('127.0.0.1', port, 'ClueCon')
esl.connect()
def handler(event):
    global seen
    seen += 1
    if seen == wanted:
        print(time.monotonic() - begun, time.process_time() - used, flush=True)
esl.register_handle('*', handler)
esl.send('event plain EVENTS')
print('subscribed', flush=True)
while seen < wanted:
    gevent.sleep(0.01)
""".replace("EVENTS", " ".join(EVENTS))


@dataclass(frozen=True, kw_only=True)
class Workload:
    """The events that pass the subscription, and the rows they make, for a number of calls played in turn."""

    events: int
    rows: Counter[tuple[object, ...]]
    mean_bytes: float

    @classmethod
    def of(cls, calls: int, switches: int = 1) -> "Workload":
        """Add up `calls` calls on each switch."""
        recordings = load_all(shipped_names())
        sent = [[event for event in one.events if event.name.decode() in EVENTS] for one in recordings]
        rows: Counter[tuple[object, ...]] = Counter()
        for number in range(calls):
            rows.update(tuple(row[name] for name in _KEPT) for row in recordings[number % len(recordings)].rows)
        sizes = [len(event.json_frame(1)) for events in sent for event in events]
        return cls(
            events=switches * sum(len(sent[number % len(sent)]) for number in range(calls)),
            rows=Counter({row: switches * count for row, count in rows.items()}),
            mean_bytes=statistics.mean(sizes),
        )

    def check(self, connection: Connection) -> None:
        """Raise AssertionError unless `call_cdr` has these complete rows and no others."""
        found = connection.execute(f"SELECT {', '.join(_KEPT)} FROM call_cdr WHERE end_ts IS NOT NULL").fetchall()
        wrong = Counter(found)
        wrong.subtract(self.rows)
        assert not any(wrong.values()), {row: count for row, count in wrong.items() if count}


@contextmanager
def feeder(calls: int, form: str, switches: int = 1, up: int = 0, rate: float = CALLS_PER_S) -> Generator[list[int]]:
    """Run `benchmarks.feeder`, whose switches have `rate` calls a second each; yield its ports."""
    command = [sys.executable, "-m", "benchmarks.feeder", str(calls), str(switches), form, str(up), str(rate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as process:
        assert process.stdout
        try:
            yield [int(port) for port in process.stdout.readline().split()]
        finally:
            process.terminate()


def listen(
    settings: Settings, ports: list[int], *, workers: int = 1
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Run `tollbook listen` on the feeder's switches."""
    return running(
        "listen",
        database_url=settings.require_database_url(),
        data_dir=str(settings.data_dir),
        esl=",".join(f"esl://:ClueCon@127.0.0.1:{port}" for port in ports),
        listen_workers=str(workers),
    )


def _stock(calls: int) -> tuple[float, float]:
    """Return the events a second that stock greenswitch reads, and the processor time of one, in s."""
    wanted = Workload.of(calls).events
    with feeder(calls, "plain") as ports:
        done = subprocess.run(
            [sys.executable, "-c", _STOCK, str(ports[0]), str(wanted)],
            capture_output=True, text=True, timeout=_TIMEOUT_S, check=True,
        )  # fmt: skip
    took_s, cpu_s = map(float, done.stdout.split()[-2:])
    return wanted / took_s, cpu_s / wanted


@dataclass(frozen=True, kw_only=True)
class Committed:
    """Events and rows a second that were completed in PostgreSQL, and the processor time of an event, in s.

    That of the listener from when the first row was there, and that of all of PostgreSQL's processes.
    """

    events: float
    rows: float
    cpu_s: float
    server_cpu_s: float


def committed(
    calls: int, settings: Settings, connection: Connection, switches: int = 1, rate: float = CALLS_PER_S
) -> Committed:
    """Return what `tollbook listen` completes, over all switches, which have `rate` calls a second each."""
    load = Workload.of(calls // switches, switches)
    rows = load.rows.total()
    connection.execute("TRUNCATE call_cdr, call_leg, archive_outbox")
    with feeder(calls, "json", switches, rate=rate) as ports, listen(settings, ports) as listener:
        begun, complete, before_s, server_before_s = None, 0, 0.0, 0.0
        deadline = time.monotonic() + _TIMEOUT_S
        while complete < rows:
            assert time.monotonic() < deadline, f"{complete} of {rows} rows after {_TIMEOUT_S:.0f} s"
            time.sleep(0.001 if begun is None else 0.05)
            ((some, complete),) = connection.execute("SELECT count(*), count(end_ts) FROM call_cdr").fetchall()
            if begun is None and some:
                begun, before_s = time.monotonic(), cpu_s(listener.pid)
                server_before_s = server_cpu_s(connection)
        took_s = time.monotonic() - (begun or 0)
        # The kernel counts in ticks: what took less than one took one at most.
        used_s = max(cpu_s(listener.pid) - before_s, TICK_S)
        server_used_s = max(server_cpu_s(connection) - server_before_s, TICK_S)
    load.check(connection)
    return Committed(
        events=load.events / took_s,
        rows=rows / took_s,
        cpu_s=used_s / load.events,
        server_cpu_s=server_used_s / load.events,
    )


def run(*, calls: int = 12_000, stock_calls: int = 1_500, rounds: int = 3, switch_rounds: int = 2) -> Iterator[Figure]:
    """Yield what one switch gives against greenswitch, and what 4 and 16 switches give in total against one."""
    load = Workload.of(calls)
    yield Figure(what="events (CREATE, ANSWER, HANGUP_COMPLETE)", value=load.events, unit="events")
    yield Figure(what="mean size of an event", value=load.mean_bytes, unit="bytes")
    with database() as settings, connect(settings.require_database_url(), name="bench", autocommit=True) as connection:
        make_ready(connection)  # as `tollbook db upgrade` does
        ratios: list[float] = []
        cpu_ratios: list[float] = []
        for _ in range(rounds):
            stock, stock_cpu_s = _stock(stock_calls)
            ours = committed(calls, settings, connection)
            ratios.append(ours.events / stock)
            cpu_ratios.append(stock_cpu_s / ours.cpu_s)
            yield Figure(what="greenswitch reads", value=stock, unit="events/s")
            yield Figure(what="greenswitch, for an event", value=stock_cpu_s * 1e6, unit="µs of CPU")
            yield Figure(what="tollbook commits", value=ours.events, unit="events/s")
            yield Figure(what="tollbook, for an event", value=ours.cpu_s * 1e6, unit="µs of CPU")
            yield Figure(what="PostgreSQL, for an event", value=ours.server_cpu_s * 1e6, unit="µs of CPU")
            yield Figure(what="rows", value=ours.rows, unit="rows/s")
        ratio = statistics.median(ratios)
        yield Figure(what="tollbook against greenswitch", value=ratio, unit=TIMES, bound=at_least(5))
        ratio = statistics.median(cpu_ratios)
        yield Figure(what="tollbook against greenswitch, in CPU", value=ratio, unit=TIMES, bound=at_least(6))
        # Many switches with the calls of one; and each with as many as one, of which many times as many are up at once.
        plan = [(switches, rate) for switches in (4, 16) for rate in (CALLS_PER_S / switches, CALLS_PER_S)]
        against: dict[tuple[int, float], list[float]] = {}
        for _ in range(switch_rounds):
            one = committed(calls, settings, connection).events
            for switches, rate in plan:
                events = committed(calls, settings, connection, switches, rate).events
                against.setdefault((switches, rate), []).append(events / one)
        for (switches, rate), found in against.items():
            which = "that share its calls" if rate < CALLS_PER_S else "with as many calls each"
            what = f"{switches} switches {which}, against one"
            yield Figure(what=what, value=statistics.median(found), unit=TIMES, bound=at_least(0.95))
