"""What requests wait for: connections to PostgreSQL, an account's share, a thread."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from export_app.share import Share

# From psycopg_pool's own counts: the metric, what it says, and the factor that makes seconds of its milliseconds.
_POOL_GAUGES: Final = {
    "pool_size": ("tollbook_pool_connections", "Connections to PostgreSQL"),
    "pool_max": ("tollbook_pool_max_connections", "How many connections there may be"),
    "pool_available": ("tollbook_pool_idle_connections", "Connections that no request uses"),
    "requests_waiting": ("tollbook_pool_waiting", "Requests that wait for a connection"),
}
_POOL_COUNTERS: Final = {
    "requests_num": ("tollbook_pool_uses", "Times that a request asked for a connection", 1.0),
    "requests_queued": ("tollbook_pool_waits", "Times that it had to wait for one", 1.0),
    "requests_wait_ms": ("tollbook_pool_wait_seconds", "How long all of them waited together", 0.001),
    "requests_errors": ("tollbook_pool_refusals", "Times that it got none in time", 1.0),
    "connections_errors": ("tollbook_pool_connects_failed", "Attempts to connect that failed", 1.0),
    "connections_lost": ("tollbook_pool_connections_lost", "Connections that broke", 1.0),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerState:
    """The server's connections; its threads, those at work, and the requests that wait for one."""

    connections: int
    threads: int
    threads_busy: int
    requests_waiting: int


class CapacityCollector(Collector):
    """Reads the counts that pools, shares and the server keep anyway. Labels: the kinds of work, which are fixed."""

    def __init__(
        self,
        pools: Callable[[], Mapping[str, Mapping[str, int]]],
        shares: Sequence[Share],
        server: Callable[[], ServerState],
    ) -> None:
        self._pools = pools
        self._shares = shares
        self._server = server

    def collect(self) -> Iterator[Metric]:
        """Yield a family for each count."""
        yield from self._of_pools()
        yield from self._of_shares()
        now = self._server()
        yield GaugeMetricFamily("tollbook_http_connections", "Connections of clients", now.connections)
        yield GaugeMetricFamily("tollbook_http_max_threads", "Threads that may serve requests", now.threads)
        yield GaugeMetricFamily("tollbook_http_threads_busy", "Threads that serve a request", now.threads_busy)
        yield GaugeMetricFamily(
            "tollbook_http_requests_waiting", "Requests that wait for a thread", now.requests_waiting
        )

    def _of_pools(self) -> Iterator[Metric]:
        pools = self._pools()
        for key, (name, text) in _POOL_GAUGES.items():
            gauge = GaugeMetricFamily(name, text, labels=["pool"])
            for pool, counts in pools.items():
                gauge.add_metric([pool], counts.get(key, 0))
            yield gauge
        for key, (name, text, factor) in _POOL_COUNTERS.items():
            counter = CounterMetricFamily(name, text, labels=["pool"])
            for pool, counts in pools.items():
                counter.add_metric([pool], counts.get(key, 0) * factor)
            yield counter

    def _of_shares(self) -> Iterator[Metric]:
        at_work = GaugeMetricFamily("tollbook_share_at_work", "Requests that hold a place of a share", labels=["work"])
        waiting = GaugeMetricFamily("tollbook_share_waiting", "Requests that wait for their turn", labels=["work"])
        refused = CounterMetricFamily(
            "tollbook_share_refused", "Requests of accounts over their share", labels=["work"]
        )
        for share in self._shares:
            counts = share.counts()
            at_work.add_metric([share.work], counts.at_work)
            waiting.add_metric([share.work], counts.waiting)
            refused.add_metric([share.work], counts.refused)
        yield from (at_work, waiting, refused)
