"""One page of metrics for all workers: their counters added up, their states put together."""

import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from esl_listener.metrics import Metrics, MetricsCollector, State, SwitchState
from esl_listener.worker_report import Report, read_report

_COUNTERS = [field.name for field in dataclasses.fields(Metrics)]


class WorkersPage(MetricsCollector):
    """The last report of each worker. A scrape reads it in a thread of its own, hence the lock.

    A worker that is started anew counts from 0. What those before it counted stays in the sum, which so never falls:
    Prometheus would take a fall for a start from 0 of all, and count the whole sum again.
    """

    def __init__(self, shares: Mapping[str, Sequence[str]], is_ready: Callable[[str], bool], data_dir: Path) -> None:
        """`shares`: the addresses of each worker's switches, by its name; `is_ready`: whether it is at work now."""
        super().__init__(self.metrics, self.state, data_dir)
        self._shares = shares
        self._is_ready = is_ready
        self._lock = threading.Lock()
        self._reports: dict[str, Report] = {}
        self._processes: dict[str, int] = {}
        self._starts = dict.fromkeys(shares, 0)
        self._ended = Metrics()
        self._ended_cpu_s = dict.fromkeys(shares, 0.0)

    def hear(self, name: str, pid: int, message: str) -> None:
        """Take what a worker's process says; what is no report is left."""
        told = read_report(message)
        if told is None:
            return
        with self._lock:
            if self._processes.get(name) != pid:
                self._processes[name] = pid
                self._starts[name] += 1
                if before := self._reports.get(name):
                    self._ended = _sum([self._ended, before.metrics])
                    self._ended_cpu_s[name] += before.cpu_s
            self._reports[name] = told

    def metrics(self) -> Metrics:
        """Return the sum of all counters."""
        with self._lock:
            return _sum([self._ended, *(told.metrics for told in self._reports.values())])

    def state(self) -> State:
        """Return what is so of all of them: a worker that is not at work hears no switch."""
        with self._lock:
            at_work = {name: told for name, told in self._reports.items() if self._is_ready(name)}
        states = [told.state for told in at_work.values()]
        return State(
            legs=sum(state.legs for state in states),
            spool_bytes=sum(state.spool_bytes for state in states),
            spool_max_bytes=sum(state.spool_max_bytes for state in states),
            spool_full=any(state.spool_full for state in states),
            database_silent_s=max((state.database_silent_s for state in states), default=0.0),
            switches=[switch for name in self._shares for switch in self._switches(name, at_work.get(name))],
        )

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of a listener, then those of its workers."""
        yield from super().collect()
        ready = sum(self._is_ready(name) for name in self._shares)
        yield GaugeMetricFamily("tollbook_workers_ready", "Workers of the listener that are at work", ready)
        starts = CounterMetricFamily("tollbook_worker_starts", "Processes that were this worker", labels=["worker"])
        cpu = CounterMetricFamily(
            "tollbook_worker_cpu_seconds", "Processor time of a worker, of its former processes too", labels=["worker"]
        )
        memory = GaugeMetricFamily("tollbook_worker_resident_bytes", "Resident memory of a worker", labels=["worker"])
        with self._lock:
            for name, told in self._reports.items():
                starts.add_metric([name], self._starts[name])
                cpu.add_metric([name], self._ended_cpu_s[name] + told.cpu_s)
                memory.add_metric([name], told.resident_bytes)
        yield from (starts, cpu, memory)

    def _switches(self, name: str, told: Report | None) -> Sequence[SwitchState]:
        if told is not None:
            return told.state.switches
        return [SwitchState(address=address, is_connected=False, lag_s=None) for address in self._shares[name]]


def _sum(counted: Sequence[Metrics]) -> Metrics:
    return Metrics(**{name: sum(getattr(metrics, name) for metrics in counted) for name in _COUNTERS})
