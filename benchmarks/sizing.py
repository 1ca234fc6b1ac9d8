"""What docs/sizing.md counts with: what a call costs in processor time, in bytes at each place, and in memory.

Recorded calls are played to the installed commands, with PostgreSQL on the same cores: at the pace of a switch, where
batches are small and a call costs most, then as fast as the listener reads, from many switches and from one. Processor
time is that of /proc, which other work on the machine changes little.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import LiteralString, Self

from benchmarks.database import database
from benchmarks.events import Workload, feeder, listen
from benchmarks.figure import Figure
from benchmarks.processes import cpu_s, highest_mb, run_to_end, server_cpu_s
from tollbook.config import Settings
from tollbook.simulator.recording import load_all, shipped_names
from tollbook.simulator.thread import SwitchThread
from tollbook.spool_files import segments, spool_folders
from tollbook.store.database import Connection, TimeLimits, connect
from tollbook.store.days.partitions import make_ready

_TIMEOUT_S = 300.0
_EVERY_S = 0.5
# Each recorded call ten times as fast, so that the last one of a paced run ends soon; calls a second stay as they are.
_SPEED = 10.0
# The connection that stops the writers keeps its transaction open meanwhile.
_LIMITS = TimeLimits(transaction_s=_TIMEOUT_S)
# Sessions besides this one.
_OTHERS = """
    SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
_TABLES = ("call_cdr", "call_leg", "archive_outbox")
_BYTES = """
    SELECT coalesce(
        (SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree(%(table)s) WHERE isleaf),
        pg_total_relation_size(%(table)s::regclass)
    )
"""


def run(
    *, calls: int = 24_000, switches: int = 100, rate: int = 20, paced: int = 600, listeners: int = 1
) -> Iterator[Figure]:
    """Yield the figures. The `paced` calls come at `rate` a second, and are heard by so many listeners.

    `calls`, if any, come as fast as possible from `switches`, and are stored.
    """
    with (
        database() as settings,
        connect(settings.require_database_url(), name="bench", autocommit=True, limits=_LIMITS) as connection,
    ):
        make_ready(connection)
        empty = {table: _number(connection, _BYTES, table=table) for table in _TABLES}
        with SwitchThread() as switch:

            def begin() -> None:
                _wait(lambda: switch.connection_count >= listeners)
                recordings = load_all(shipped_names())
                switch.start_playing_at_rate(recordings, calls_per_s=rate, count=paced, speed=_SPEED)

            name, port = f"{rate} calls a second", switch.address[1]
            yield from _listened(name, settings, connection, [port], Workload.of(paced), begin, listeners)
        if not calls:
            return
        for count in (switches, 1):
            with feeder(calls // count * count, "json", count) as ports:
                load = Workload.of(calls // count, count)
                yield from _listened(f"{count} at full speed", settings, connection, ports, load)
        rows = load.rows.total()
        yield Figure(what="legs", value=_number(connection, "SELECT count(*) FROM call_leg") / rows, unit="a call")
        for table in _TABLES:
            value = (_number(connection, _BYTES, table=table) - empty[table]) / rows
            yield Figure(what=f"{table} with its indexes", value=value, unit="bytes a call")
        archiving = run_to_end("archive", "run", "--now", settings=settings)
        yield Figure(what="archive run", value=archiving.cpu_s / rows * 1000, unit="ms of CPU a call")
        yield Figure(what="archive run: highest", value=archiving.highest_mb, unit="MB")
        data = list((settings.data_dir / "archive").glob("**/data/**/*.parquet"))
        yield Figure(what="archive", value=sum(path.stat().st_size for path in data) / rows, unit="bytes a call")
        yield Figure(what="spool", value=_spooled(settings, connection, calls) / rows, unit="bytes a call")


def _listened(
    name: str,
    settings: Settings,
    connection: Connection,
    ports: list[int],
    load: Workload,
    begin: Callable[[], object] | None = None,
    listeners: int = 1,
) -> Iterator[Figure]:
    """Let listeners write calls into empty tables, and count what the first of them takes.

    `begin` starts the calls, if connecting does not. The first tenth is not counted: a start costs the same for a
    million calls.
    """
    rows, connections = load.rows.total(), 0
    connection.execute("TRUNCATE call_cdr, call_leg, archive_outbox")
    with ExitStack() as stack:
        listener, *_ = [stack.enter_context(listen(settings, ports)) for _ in range(listeners)]
        if begin is not None:
            begin()
        deadline = time.monotonic() + _TIMEOUT_S
        before, complete = _Used.by(listener.pid, connection), 0
        while complete < rows:
            assert time.monotonic() < deadline, f"{complete} of {rows} rows after {_TIMEOUT_S:.0f} s"
            connections = max(connections, _number(connection, _OTHERS))
            time.sleep(_EVERY_S)
            complete = _number(connection, "SELECT count(end_ts) FROM call_cdr")
            if before.rows < rows // 10 <= complete < rows:
                before = _Used.by(listener.pid, connection)
        used, highest = _Used.by(listener.pid, connection), highest_mb(listener.pid)
    load.check(connection)
    counted = used.rows - before.rows
    listener_ms, server_ms = (used.listener_s - before.listener_s) * 1000, (used.server_s - before.server_s) * 1000
    yield Figure(what=f"{name}: listener", value=listener_ms / counted, unit="ms of CPU a call")
    yield Figure(what=f"{name}: PostgreSQL", value=server_ms / counted, unit="ms of CPU a call")
    yield Figure(what=f"{name}: write-ahead log", value=(used.log - before.log) / counted, unit="bytes a call")
    yield Figure(what=f"{name}: listener's highest", value=highest, unit="MB")
    if connections:  # a short run may be over before they are counted
        yield Figure(what=f"{name}: listener's most connections", value=connections, unit="connections")


@dataclass(frozen=True, kw_only=True)
class _Used:
    """What was used so far: rows that are complete, processor time in s, bytes of write-ahead log."""

    rows: int
    listener_s: float
    server_s: float
    log: int

    @classmethod
    def by(cls, listener: int, connection: Connection) -> Self:
        """Look at a listener's process, and at the server of a connection, whose own work is not counted."""
        return cls(
            rows=_number(connection, "SELECT count(end_ts) FROM call_cdr"),
            listener_s=cpu_s(listener),
            server_s=server_cpu_s(connection),
            log=_number(connection, "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"),
        )


def _spooled(settings: Settings, connection: Connection, calls: int) -> int:
    """Return how many bytes of disk the calls take while somebody holds a lock that every batch needs."""
    load = Workload.of(calls)
    connection.execute("TRUNCATE call_cdr, call_leg, archive_outbox")
    with feeder(calls, "json") as ports, listen(settings, ports):
        with connection.transaction():
            connection.execute("LOCK TABLE call_leg")
            size, unchanged, deadline = 0, 0, time.monotonic() + _TIMEOUT_S
            while not size or unchanged < 5:
                assert time.monotonic() < deadline, f"{size} bytes after {_TIMEOUT_S:.0f} s"
                time.sleep(_EVERY_S)
                now = _spool_bytes(settings)
                size, unchanged = now, unchanged + 1 if now == size else 0
        while _number(connection, "SELECT count(end_ts) FROM call_cdr") < load.rows.total():
            assert time.monotonic() < deadline, f"not replayed after {_TIMEOUT_S:.0f} s"
            time.sleep(_EVERY_S)
    load.check(connection)
    return size


def _spool_bytes(settings: Settings) -> int:
    return sum(path.stat().st_size for folder in spool_folders(settings.data_dir) for path in segments(folder))


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(_EVERY_S)


def _number(connection: Connection, query: LiteralString, **values: str) -> int:
    """Return the only value of a query."""
    row = connection.execute(query, values).fetchone()
    assert row is not None
    return int(row[0])
