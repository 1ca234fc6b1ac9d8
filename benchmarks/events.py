"""Events read, folded, priced and committed a second, against stock greenswitch with an empty handler.

A separate process (`feeder.py`) sends the same recorded calls, made fresh and rendered beforehand, as fast as the
client reads. Ours is the whole `tollbook listen` with PostgreSQL on the same cores, timed until the last row is
complete in the database; stock greenswitch only reads and parses.
"""

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.feeder import EVENTS
from tollbook.embedded import embedded_postgres
from tollbook.simulator.recording import load_all, shipped_names
from tollbook.store.database import connect
from tollbook.store.days.partitions import make_ready
from tollbook.store.schema import upgrade

TOLLBOOK = Path(sys.executable).with_name("tollbook")
CALLS = 12_000
STOCK_CALLS = 1_500
ROUNDS = 3

_STOCK = """
import sys, time, gevent
from gevent import monkey
monkey.patch_all()
from greenswitch import InboundESL
port, wanted = int(sys.argv[1]), int(sys.argv[2])
seen, begun = 0, 0.0
class Timed(InboundESL):
    def handle_event(self, event):
        global begun
        if not begun and event.headers.get('Content-Type') == 'text/event-plain':
            begun = time.monotonic()
        super().handle_event(event)
esl = Timed('127.0.0.1', port, 'ClueCon')
esl.connect()
def handler(event):
    global seen
    seen += 1
    if seen == wanted:
        print(time.monotonic() - begun, flush=True)
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
    rows: int
    mean_bytes: float

    @classmethod
    def of(cls, calls: int) -> "Workload":
        recordings = load_all(shipped_names())
        events = rows = size = 0
        for number in range(calls):
            recording = recordings[number % len(recordings)]
            wanted = [event for event in recording.events if event.name.decode() in EVENTS]
            events += len(wanted)
            rows += len(recording.rows)
            size += sum(len(event.json_frame(1)) for event in wanted) if number < len(recordings) else 0
        one_round = sum(event.name.decode() in EVENTS for recording in recordings for event in recording.events)
        return cls(events=events, rows=rows, mean_bytes=size / one_round)


@contextlib.contextmanager
def feeder(calls: int, form: str, switches: int = 1, up: int = 0) -> Iterator[list[int]]:
    """Run `benchmarks.feeder`; yield its ports."""
    command = [sys.executable, "-m", "benchmarks.feeder", str(calls), str(switches), form, str(up)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield [int(port) for port in process.stdout.readline().split()]
    finally:
        process.terminate()
        process.wait(30)


def stock(calls: int) -> float:
    """Return the events a second that stock greenswitch reads."""
    wanted = Workload.of(calls).events
    with feeder(calls, "plain") as ports:
        done = subprocess.run(
            [sys.executable, "-c", _STOCK, str(ports[0]), str(wanted)], capture_output=True, text=True, timeout=300
        )
    return wanted / float(done.stdout.split()[-1])


def ours(calls: int, database: str, switches: int = 1) -> tuple[float, float]:
    """Return the (events, rows) a second that `tollbook listen` completes in PostgreSQL, over all switches."""
    share = calls // switches
    load = Workload.of(share)
    with contextlib.ExitStack() as stack, psycopg.connect(database, autocommit=True) as connection:
        connection.execute("TRUNCATE call_cdr, call_leg, archive_outbox")
        ports = stack.enter_context(feeder(calls, "json", switches))
        environment = os.environ | {
            "TOLLBOOK_DATABASE_URL": database,
            "TOLLBOOK_ESL": ",".join(f"esl://:ClueCon@127.0.0.1:{port}" for port in ports),
            "TOLLBOOK_DATA_DIR": tempfile.gettempdir(),
            "TOLLBOOK_LOG_LEVEL": "error",
        }
        listener = subprocess.Popen([TOLLBOOK, "listen"], env=environment)
        stack.callback(listener.wait, 60)
        stack.callback(listener.terminate)
        begun = None
        query = "SELECT count(*), count(end_ts) FROM call_cdr"
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            rows, complete = connection.execute(query).fetchone() or (0, 0)
            if begun is None and rows:
                begun = time.monotonic()
            if begun is not None and complete >= load.rows * switches:
                took = time.monotonic() - begun
                return load.events * switches / took, load.rows * switches / took
            time.sleep(0.001 if begun is None else 0.05)
    raise AssertionError(f"{complete} of {load.rows * switches} rows after 300 s")


def run() -> None:
    """Print the figure and how it was made."""
    load = Workload.of(CALLS)
    print(
        f"events: {CALLS} calls, {load.events} events of {load.mean_bytes / 1000:.1f} kB"
        f" (CREATE, ANSWER, HANGUP_COMPLETE), {load.rows} rows, {load.events / load.rows:.1f} events a row"
    )
    with tempfile.TemporaryDirectory(prefix="tollbook-") as folder, embedded_postgres(Path(folder)) as url:
        upgrade(url)
        with connect(url, name="bench", autocommit=True) as connection:
            make_ready(connection)  # as `tollbook db upgrade` does
        ratios: list[float] = []
        for number in range(ROUNDS):
            base = stock(STOCK_CALLS)
            events, rows = ours(CALLS, url)
            ratios.append(events / base)
            print(
                f"  round {number + 1}: greenswitch reads {base:,.0f} events/s; tollbook commits {events:,.0f},"
                f" {rows:,.0f} rows/s: {events / base:.1f} x"
            )
        print(f"  median {statistics.median(ratios):.1f} x (to reach: 5 x)")
        one = ours(CALLS, url)[0]
        for count in (4, 16):
            several = ours(CALLS, url, count)[0]
            print(f"  {count} switches: {several:,.0f} events/s in total, {several / one:.2f} of one (to reach: 0.9)")
