"""Requests, counted and timed by route."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

# Of addresses that lead nowhere, and of bytes that are no request.
NO_ROUTE: Final = "none"

# A page of 100 rows takes 2 ms; PostgreSQL ends a statement after 5 s, and a question to the archive's engine has 20.
_BUCKETS_S: Final = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 20.0)


class RequestMetrics:
    """Counts requests. Their routes, statuses and codes are those of our own source: a client can add no label."""

    def __init__(self) -> None:
        disable_created_metrics()  # a series more for each counter, and the start of the process says the same
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "tollbook_http_requests",
            "Requests that have their response, by route and class of status",
            ["route", "status"],
            registry=self.registry,
        )
        self._errors = Counter(
            "tollbook_http_errors",
            "Responses that are errors, by the code in them",
            ["code"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "tollbook_http_request_seconds",
            "How long a thread worked on a request, until its response waited to be sent",
            ["route"],
            buckets=_BUCKETS_S,
            registry=self.registry,
        )

    def count(self, *, route: str | None, status: int, error_code: str | None, seconds: float) -> None:
        """Count a request; `route` None: no resource has its address."""
        route = route or NO_ROUTE
        self._requests.labels(route, f"{status // 100}xx").inc()
        self._seconds.labels(route).observe(seconds)
        if error_code is not None:
            self._errors.labels(error_code).inc()
