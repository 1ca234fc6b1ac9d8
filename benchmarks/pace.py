"""Calls at the pace of a switch: what they cost, and how soon their rows are there.

At a pace batches are small, and a call costs more than at full speed. The switch is a process of its own. What is
counted is the processor time of /proc, of `tollbook listen` and of PostgreSQL with all its processes.
"""

import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

from benchmarks.database import database, recycle_wal
from benchmarks.events import Workload, listen
from benchmarks.figure import Figure, at_most
from benchmarks.processes import cpu_s, server_cpu_s
from tests.paths import ROOT
from tollbook.config import Settings
from tollbook.store.database import Connection, connect
from tollbook.store.days.partitions import make_ready

_TIMEOUT_S = 300.0
# Calls are as short as a tenth of the recorded ones, so that a run is: calls a second stay as they are.
_SPEED = 10.0
# Seconds of CPU for 1,000 calls at so many calls a second.
_CPU_S = {10: 2.0, 50: 1.2, 100: 1.0}
_LATENCY_RATES = (10, 50, 300)
_LATENCY_MS = {300: 20.0}
#: Nobody polls: a poll costs both. A batch says itself which calls are complete as soon as others can see it.
NOTIFY = """
    CREATE FUNCTION tell_complete() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_notify('complete', string_agg(call_id, ' '))
        FROM (SELECT call_id, (row_number() OVER ()) / 100 AS part FROM written WHERE end_ts IS NOT NULL) AS complete
        GROUP BY part;
        RETURN NULL;
    END $$;
    CREATE TRIGGER tell_inserted AFTER INSERT ON call_cdr REFERENCING NEW TABLE AS written
        FOR EACH STATEMENT EXECUTE FUNCTION tell_complete();
    CREATE TRIGGER tell_updated AFTER UPDATE ON call_cdr REFERENCING NEW TABLE AS written
        FOR EACH STATEMENT EXECUTE FUNCTION tell_complete()
"""


def run(*, seconds: int = 20) -> Iterator[Figure]:
    """Yield CPU for 1,000 calls at 10, 50 and 100 calls a second, and from hangup to row at 10, 50 and 300."""
    with database() as settings, connect(settings.require_database_url(), name="bench", autocommit=True) as connection:
        make_ready(connection)  # as `tollbook db upgrade` does
        for rate, bound_s in _CPU_S.items():
            used_s = _cpu_for_thousand(settings, connection, rate, seconds)
            what = f"{rate} calls a second: listener and PostgreSQL for 1,000 calls"
            yield Figure(what=what, value=used_s, unit="s of CPU", bound=at_most(bound_s))
        connection.execute(NOTIFY)
        recycle_wal(connection)
        for rate in _LATENCY_RATES:
            waits_ms = sorted(_waits_ms(settings, connection, rate, seconds))
            what = f"{rate} calls a second: hangup to row"
            bound = at_most(_LATENCY_MS[rate]) if rate in _LATENCY_MS else None
            yield Figure(what=f"{what}, half within", value=statistics.median(waits_ms), unit="ms")
            ninety_nine = waits_ms[len(waits_ms) * 99 // 100]
            yield Figure(what=f"{what}, 99 % within", value=ninety_nine, unit="ms", bound=bound)
            yield Figure(what=f"{what}, longest", value=waits_ms[-1], unit="ms")


@contextmanager
def paced_switch(rate: int, count: int) -> Generator["subprocess.Popen[str]"]:
    """Run `benchmarks.paced_switch`, whose first line is its port; each call is a tenth as long as recorded."""
    command = [sys.executable, "-m", "benchmarks.paced_switch", str(rate), str(count), str(_SPEED)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.terminate()


def _cpu_for_thousand(settings: Settings, connection: Connection, rate: int, seconds: int) -> float:
    """Return the seconds of CPU for 1,000 calls. The first tenth is not counted: it pays for the start."""
    load = Workload.of(rate * seconds)
    rows = load.rows.total()
    connection.execute("TRUNCATE call_cdr, call_leg, archive_outbox")
    with paced_switch(rate, rate * seconds) as switch:
        assert switch.stdout
        port = int(switch.stdout.readline())
        # What it prints in the end is more than a pipe holds, and until it is read the last events are not sent.
        threading.Thread(target=read_times, args=(switch.stdout, dict[str, float]()), daemon=True).start()
        with listen(settings, [port]) as listener:
            complete = _wait_for(connection, rows // 10)
            begun_s = cpu_s(listener.pid) + server_cpu_s(connection)
            counted = _wait_for(connection, rows) - complete
            used_s = cpu_s(listener.pid) + server_cpu_s(connection) - begun_s
    load.check(connection)
    return used_s / counted * 1000


def _wait_for(connection: Connection, rows: int) -> int:
    """Wait until so many rows are complete, and return how many are."""
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        ((complete,),) = connection.execute("SELECT count(*) FROM call_cdr WHERE end_ts IS NOT NULL").fetchall()
        if complete >= rows:
            return complete
        assert time.monotonic() < deadline, f"{complete} of {rows} rows after {_TIMEOUT_S:.0f} s"
        time.sleep(0.5)


def _waits_ms(settings: Settings, connection: Connection, rate: int, seconds: int) -> list[float]:
    """Return for each call how long after its last hangup was sent its row was complete and visible to others.

    The first tenth is left out: it waits for the start.
    """
    load = Workload.of(rate * seconds)
    connection.execute("TRUNCATE call_cdr, call_leg, archive_outbox")
    with (
        connect(settings.require_database_url(), name="told", autocommit=True) as told,
        paced_switch(rate, rate * seconds) as switch,
    ):
        assert switch.stdout
        told.execute("LISTEN complete")
        sent: dict[str, float] = {}
        with listen(settings, [int(switch.stdout.readline())]):
            reading = threading.Thread(target=read_times, args=(switch.stdout, sent), daemon=True)
            reading.start()
            seen = completions(told, load.rows.total(), _TIMEOUT_S)
            deadline = time.monotonic() + _TIMEOUT_S
            while not (over := last_hangups(connection, sent)).keys() >= seen.keys():
                assert time.monotonic() < deadline
                time.sleep(0.1)
    load.check(connection)
    in_order = sorted(seen, key=lambda call_id: over[call_id])
    waits_ms = [(seen[call_id] - over[call_id]) * 1000 for call_id in in_order]
    assert min(waits_ms) > 0, "a row was complete before its last leg hung up"
    return waits_ms[len(waits_ms) // 10 :]


def completions(
    told: Connection, rows: int, limit_s: float, check: Callable[[], None] = lambda: None
) -> dict[str, float]:
    """Return when each call was complete and visible, once as many are as there must be; `check` may raise meanwhile.

    The last time counts. In a call that is passed on, one leg may be gone before the next is there: written between the
    two, its row is complete twice.
    """
    seen: dict[str, float] = {}
    deadline = time.monotonic() + limit_s
    while len(seen) < rows:
        assert time.monotonic() < deadline, f"{len(seen)} of {rows} rows after {limit_s:.0f} s"
        check()
        _note(told, seen)
    _note(told, seen)  # a second time of the last ones
    return seen


def _note(told: Connection, seen: dict[str, float]) -> None:
    """Note which calls are told to be complete within a second."""
    for notice in told.notifies(timeout=1):
        now_s = time.monotonic()
        seen |= dict.fromkeys(notice.payload.split(), now_s)


def last_hangups(connection: Connection, sent: dict[str, float]) -> dict[str, float]:
    """Return when the last hangup of each call was sent, of the calls of whose legs all is known.

    A leg may be up long after the root, as after a transfer, and until then a row is not complete.
    """
    legs: dict[str, list[str]] = {}
    for call_id, uid in connection.execute("SELECT call_id, uid FROM call_leg"):
        legs.setdefault(call_id, []).append(uid)
    return {call_id: max(sent[uid] for uid in uids) for call_id, uids in legs.items() if sent.keys() >= set(uids)}


def read_times(lines: Iterator[str], sent: dict[str, float]) -> None:
    """Note when the end of each leg was sent, from what a paced switch prints."""
    for line in lines:
        uid, at_s = line.split()
        sent[uid] = float(at_s)
