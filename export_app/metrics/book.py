"""What the database knows of the whole of Tollbook: the window, the outbox, the sums, the tasks that timers start.

The API reports it, because it is the one process that always runs beside the database and has threads to wait for it.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final
from zoneinfo import ZoneInfo

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from export_app.outages import Outages
from tollbook.config import Settings
from tollbook.errors import TollbookError
from tollbook.statements.period import OVERDUE_DAYS, last_month
from tollbook.store import health, task_runs
from tollbook.store.database import Connection, check_schema
from tollbook.store.days.partitions import CALLS, standing_days
from tollbook.store.events.health import COUNTED, read_events_out
from tollbook.store.statements.issued import accounts_without
from tollbook.store.sums.unbuilt import MANY_WAITING, unbuilt_days, waiting_calls
from tollbook.times import MS_PER_DAY, SECONDS_PER_DAY

# However many ask, and however often, PostgreSQL is asked once in this time.
READ_EVERY_S: Final = 15.0
# Prometheus gives up a scrape after 10 s unless it is told otherwise, and connecting may take four.
_BUDGET_S: Final = 5.0
#: Longer than any reading takes that ends: connecting, the budget, and the last statement.
HANGS_S: Final = 15.0

_Fact = Callable[[Connection], Iterable[Metric]]


class BookCollector(Collector):
    """Asks PostgreSQL, on a connection of its own, what `tollbook doctor` asks; a fact that fails is left out."""

    def __init__(self, settings: Settings, outages: Outages) -> None:
        self._settings = settings
        self._outages = outages
        self._lock = threading.Lock()
        self._read_s: float | None = None
        self._last: list[Metric] = []

    def collect(self) -> Iterator[Metric]:
        """Yield what was read last, at most READ_EVERY_S ago. Who asks while it is being read waits for that.

        But not for ever: of a server that stands still in the middle of an answer, one thread waits, not one a scrape.
        """
        if not self._lock.acquire(timeout=HANGS_S):
            yield _is_up(False)
            return
        try:
            if self._read_s is None or time.monotonic() - self._read_s > READ_EVERY_S:
                self._last = list(self._read())
                self._read_s = time.monotonic()
            found = self._last
        finally:
            self._lock.release()
        yield from found

    def _read(self) -> Iterator[Metric]:
        begun_s = time.monotonic()
        is_up, failed = False, 0
        try:
            with health.looking(self._settings.require_database_url()) as connection:
                check_schema(connection)
                is_up = True
                self._outages.database_answers()
                for fact in self._facts():
                    try:
                        if time.monotonic() - begun_s > _BUDGET_S:
                            raise TimeoutError
                        yield from list(fact(connection))
                    except (TollbookError, TimeoutError):
                        failed += 1
        except TollbookError:
            pass  # it is not up, or went away
        yield _is_up(is_up)
        yield GaugeMetricFamily(
            "tollbook_database_facts_failed", "How many of these metrics could not be read in time", failed
        )
        yield GaugeMetricFamily(
            "tollbook_database_read_seconds", "How long reading them took", time.monotonic() - begun_s
        )

    def _facts(self) -> list[_Fact]:
        return [
            _tasks,
            self._window,
            self._partitions,
            self._outbox,
            _events_out,
            self._sums,
            self._open,
            self._statements,
            self._size,
        ]

    def _size(self, connection: Connection) -> Iterator[Metric]:
        yield GaugeMetricFamily("tollbook_database_bytes", "The size of the database", health.size(connection))

    def _window(self, connection: Connection) -> Iterator[Metric]:
        # Not where the window begins: that is 0 in a database of which nothing was pruned yet.
        for day in standing_days(connection, CALLS)[:1]:
            yield GaugeMetricFamily(
                "tollbook_oldest_day_timestamp_seconds",
                "The oldest day of calls that PostgreSQL keeps",
                day * SECONDS_PER_DAY,
            )
        yield GaugeMetricFamily(
            "tollbook_retention_days", "TOLLBOOK_RETENTION_DAYS of this process", self._settings.retention_days
        )

    def _partitions(self, connection: Connection) -> Iterator[Metric]:
        today = int(time.time() * 1000) // MS_PER_DAY
        yield GaugeMetricFamily(
            "tollbook_partition_days_ahead",
            "Days after today that have their partitions; -1: today has none",
            health.days_ahead(connection, today),
        )

    def _outbox(self, connection: Connection) -> Iterator[Metric]:
        rows, oldest_s = health.waiting_for_archive(connection)
        yield GaugeMetricFamily(
            "tollbook_outbox_rows", f"Rows that wait for the archive, counted to {health.COUNTED_ROWS:,}", rows
        )
        yield GaugeMetricFamily(
            "tollbook_outbox_oldest_seconds",
            "How long the oldest row has waited for the archive; up to a day is by design",
            oldest_s,
        )

    def _sums(self, connection: Connection) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "tollbook_sum_changes_waiting",
            f"Changes that wait to be rolled up into the sums, counted to {MANY_WAITING:,}",
            waiting_calls(connection, MANY_WAITING),
        )
        yield GaugeMetricFamily(
            "tollbook_sum_days_unbuilt", "Days whose sums are still to be built", len(unbuilt_days(connection))
        )

    def _open(self, connection: Connection) -> Iterator[Metric]:
        now_ms = int(time.time() * 1000)
        yield GaugeMetricFamily(
            "tollbook_calls_open_a_day",
            "Calls that have been up for more than a day",
            health.open_calls(connection, now_ms - MS_PER_DAY).count,
        )

    def _statements(self, connection: Connection) -> Iterator[Metric]:
        overdue_ms = int(time.time() * 1000) - OVERDUE_DAYS * MS_PER_DAY
        lacking, _ = accounts_without(connection, last_month(overdue_ms, ZoneInfo(self._settings.statement_zone)))
        yield GaugeMetricFamily(
            "tollbook_statements_missing",
            f"Accounts that have statements and lack that of a month that ended {OVERDUE_DAYS} days ago",
            lacking,
        )


def _events_out(connection: Connection) -> Iterator[Metric]:
    found = read_events_out(connection)
    endpoints = GaugeMetricFamily("tollbook_endpoints", "Endpoints that are told of events, by state", labels=["state"])
    for state in ("working", "failing", "off"):
        endpoints.add_metric([state], getattr(found, state))
    yield endpoints
    deliveries = CounterMetricFamily(
        "tollbook_deliveries", "Deliveries made, tries that failed, and deliveries given up", labels=["outcome"]
    )
    for outcome in ("delivered", "failed", "given_up"):
        deliveries.add_metric([outcome], getattr(found, outcome))
    yield deliveries
    yield GaugeMetricFamily(
        "tollbook_deliveries_waiting", f"Deliveries that wait, counted to {COUNTED:,}", found.waiting
    )
    yield GaugeMetricFamily(
        "tollbook_delivery_late_seconds",
        "For how long the oldest delivery has waited for an endpoint that works",
        found.late_s,
    )
    yield GaugeMetricFamily("tollbook_deliver_processes", "Processes that deliver", found.processes)


def _is_up(is_up: bool) -> Metric:
    return GaugeMetricFamily("tollbook_database_up", "1 if PostgreSQL answers and has the schema we need", is_up)


def _tasks(connection: Connection) -> Iterator[Metric]:
    """Yield the last run of each task; one that has never run has a count of 0 and no times."""
    runs = {run.task: run for run in task_runs.read_all(connection)}
    counters = {
        "runs": "Runs that began",
        "failures": "Runs that ended with another exit code than 0",
        "items": "What its runs have done: rows archived, compacted or verified, calls pruned, files recovered",
    }
    for name, text in counters.items():
        counter = CounterMetricFamily(f"tollbook_task_{name}", text, labels=["task"])
        for task in task_runs.TASKS:
            counter.add_metric([task], getattr(runs[task], name) if task in runs else 0)
        yield counter
    times = {"begun": "When the last run began", "ended": "When it ended", "succeeded": "When one last ended with 0"}
    for name, text in times.items():
        gauge = GaugeMetricFamily(f"tollbook_task_{name}_timestamp_seconds", text, labels=["task"])
        for task, run in runs.items():
            if (at := getattr(run, f"{name}_at")) is not None:
                gauge.add_metric([task], at.timestamp())
        yield gauge
    last = {"seconds": "How long the last run took", "exit_code": "How the last run ended; 0: well"}
    for name, text in last.items():
        gauge = GaugeMetricFamily(f"tollbook_task_{name}", text, labels=["task"])
        for task, run in runs.items():
            if (value := getattr(run, name)) is not None:
                gauge.add_metric([task], value)
        yield gauge
