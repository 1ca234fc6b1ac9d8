"""What the listener counts, and how Prometheus reads it. docs/metrics.md describes each metric."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tollbook.spool_files import count_dead_letters, dead_letter_folder

# A scrape lists no more files than that: 10 ms.
_COUNTED_DEAD_LETTERS: Final = 10_000


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
    rows_in_doubt: int = 0
    legs_uncounted: int = 0
    legs_set_aside: int = 0
    batches_retried: int = 0
    legs_spooled: int = 0
    connections: int = 0
    sessions_unheard: int = 0
    comparisons_failed: int = 0
    recoveries: int = 0
    recoveries_failed: int = 0
    tariff_loads_failed: int = 0
    sum_rollups_failed: int = 0
    agent_changes: int = 0
    agent_changes_refused: int = 0


_HELP = {
    "events": "Channel events read from the switches",
    "events_without_leg": "Channel events that name no leg: scanners that never authenticated, absurd clocks",
    "frames_refused": "Frames that were too large or not what FreeSWITCH sends",
    "batches": "Batches committed",
    "legs_written": "Legs written",
    "rows_written": "Rows written, started or completed",
    "rows_unrated": "Rows completed without a price",
    "rows_in_doubt": "Rows completed that may be free by mistake: tollbook doctor names the hosts and accounts",
    "legs_uncounted": "Legs beyond the first 2,000 of their call, which change no row",
    "legs_set_aside": "Legs that PostgreSQL refused, kept as dead letters",
    "batches_retried": "Batches that PostgreSQL could not take and that were tried again",
    "legs_spooled": "Legs written to the spool while PostgreSQL was away",
    "connections": "Event Socket connections made",
    "sessions_unheard": "Sessions that a switch's heartbeats count and whose events never arrived",
    "comparisons_failed": "Comparisons of a switch's channels with the open legs that failed, and are tried again",
    "recoveries": "Runs of `tollbook recover` after a connect, where TOLLBOOK_CDR_DIR is set",
    "recoveries_failed": "Such runs that failed, and are tried again",
    "tariff_loads_failed": "Changed accounts or rates that could not be loaded, and are tried again",
    "sum_rollups_failed": "Roll-ups of what waits for the sums that failed, and are tried again",
    "agent_changes": "Changes of agents' statuses and states written",
    "agent_changes_refused": "Such changes that were dropped: too many agents or changes, long names, absurd clocks",
}


@dataclass(frozen=True, kw_only=True)
class SwitchState:
    """A switch of TOLLBOOK_ESL; `lag_s`: how old its last heartbeat was when it was read, None if there is none."""

    address: str
    is_connected: bool
    lag_s: float | None


@dataclass(frozen=True, kw_only=True)
class State:
    """What is so at this moment.

    `legs` wait in memory, `spool_bytes` of at most `spool_max_bytes` on disk; `spool_full`: it takes no more.
    `database_silent_s`: since when PostgreSQL has done nothing that was asked.
    """

    legs: int = 0
    spool_bytes: int = 0
    spool_max_bytes: int = 0
    spool_full: bool = False
    database_silent_s: float = 0.0
    switches: Sequence[SwitchState] = field(default_factory=tuple[SwitchState, ...])


class MetricsCollector(Collector):
    """Passes the counters and the state to Prometheus. The only label is a switch's address as in the settings."""

    def __init__(self, metrics: Callable[[], Metrics], state: Callable[[], State], data_dir: Path) -> None:
        """`data_dir` has the folder of dead letters."""
        self._metrics = metrics
        self._state = state
        self._dead_letters = dead_letter_folder(data_dir)

    def collect(self) -> Iterator[Metric]:
        """Yield each counter, then the gauges of the state."""
        counted = self._metrics()
        for name, text in _HELP.items():
            yield CounterMetricFamily(f"tollbook_{name}", text, value=getattr(counted, name))
        now = self._state()
        yield GaugeMetricFamily("tollbook_legs_waiting", "Legs heard, and neither written nor spooled yet", now.legs)
        yield GaugeMetricFamily("tollbook_spool_bytes", "Bytes that wait in the spool for PostgreSQL", now.spool_bytes)
        yield GaugeMetricFamily(
            "tollbook_spool_max_bytes", "Bytes that the spool may hold (TOLLBOOK_SPOOL_MAX)", now.spool_max_bytes
        )
        yield GaugeMetricFamily("tollbook_spool_full", "1 while the spool is full or cannot be written", now.spool_full)
        dead_letters = _count(self._dead_letters)
        yield GaugeMetricFamily("tollbook_dead_letters", "Files of dead letters, counted to 10,000", dead_letters)
        yield GaugeMetricFamily(
            "tollbook_database_silent_seconds",
            "Since when PostgreSQL has done nothing that the writer asked; below 1 s, also when no call is made",
            now.database_silent_s,
        )
        connected = GaugeMetricFamily(
            "tollbook_switch_connected", "1 while the events of a switch of TOLLBOOK_ESL are heard", labels=["switch"]
        )
        lag = GaugeMetricFamily(
            "tollbook_switch_lag_seconds",
            "From the switch's clock to the reading of its last heartbeat, with what the two clocks differ by",
            labels=["switch"],
        )
        for switch in now.switches:
            connected.add_metric([switch.address], switch.is_connected)
            if switch.lag_s is not None:
                lag.add_metric([switch.address], switch.lag_s)
        yield connected
        yield lag


def _count(dead_letters: Path) -> int:
    try:
        return count_dead_letters(dead_letters, _COUNTED_DEAD_LETTERS)
    except OSError:
        return 0  # `tollbook doctor` says what is wrong with the folder
