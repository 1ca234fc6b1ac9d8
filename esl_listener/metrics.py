"""What the listener counts, and how Prometheus reads it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


@dataclass(kw_only=True, slots=True)
class Metrics:
    """The counters. Plain integers, because they rise 15,000 times a second and are read only when scraped."""

    events: int = 0
    events_without_leg: int = 0
    frames_refused: int = 0
    batches: int = 0
    legs_written: int = 0
    rows_written: int = 0
    rows_unrated: int = 0
    legs_uncounted: int = 0
    legs_set_aside: int = 0
    batches_retried: int = 0
    legs_spooled: int = 0
    connections: int = 0
    sessions_unheard: int = 0
    recoveries: int = 0
    recoveries_failed: int = 0


_HELP = {
    "events": "Channel events read from the switches",
    "events_without_leg": "Channel events that name no leg: scanners that never authenticated, absurd clocks",
    "frames_refused": "Frames that were too large or not what FreeSWITCH sends",
    "batches": "Batches committed",
    "legs_written": "Legs written",
    "rows_written": "Rows written, started or completed",
    "rows_unrated": "Rows completed without a price",
    "legs_uncounted": "Legs beyond the first 2,000 of their call, which change no row",
    "legs_set_aside": "Legs that PostgreSQL refused, kept as dead letters",
    "batches_retried": "Batches that PostgreSQL could not take and that were tried again",
    "legs_spooled": "Legs written to the spool while PostgreSQL was away",
    "connections": "Event Socket connections made",
    "sessions_unheard": "Sessions that a switch's heartbeats count and whose events never arrived",
    "recoveries": "Runs of `tollbook recover` after a connect, where TOLLBOOK_CDR_DIR is set",
    "recoveries_failed": "Such runs that failed, and are tried again",
}


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """What waits at this moment: legs in memory, bytes in the spool; and whether the spool takes no more."""

    legs: int
    spool_bytes: int
    spool_full: bool


class MetricsCollector(Collector):
    """Passes the counters and the backlog to Prometheus."""

    def __init__(self, metrics: Metrics, backlog: Callable[[], Backlog]) -> None:
        self._metrics = metrics
        self._backlog = backlog

    def collect(self) -> Iterator[Metric]:
        """Yield each counter, then the gauges of the backlog."""
        for name, text in _HELP.items():
            yield CounterMetricFamily(f"tollbook_{name}", text, value=getattr(self._metrics, name))
        now = self._backlog()
        yield GaugeMetricFamily("tollbook_legs_waiting", "Legs heard, and neither written nor spooled yet", now.legs)
        yield GaugeMetricFamily("tollbook_spool_bytes", "Bytes that wait in the spool for PostgreSQL", now.spool_bytes)
        yield GaugeMetricFamily("tollbook_spool_full", "1 while the spool is full or cannot be written", now.spool_full)
