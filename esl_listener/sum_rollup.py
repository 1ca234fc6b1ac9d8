"""Rolls up sums: every few seconds, what writers left in `sum_delta` moves into the cubes (`tollbook.store.sums`)."""

import logging

import gevent

from esl_listener.metrics import Metrics
from tollbook.backoff import Backoff
from tollbook.errors import TollbookError
from tollbook.log import Outage
from tollbook.store.database import Connection, check_schema, connect
from tollbook.store.sums.rollup import ROLL_UP_EVERY_S, roll_up

_log = logging.getLogger("tollbook.sums")

_RETRY = Backoff(first_s=ROLL_UP_EVERY_S, longest_s=60.0)


class SumRollup:
    """A greenlet with a connection of its own, so that no batch waits for it. What it leaves, a read adds itself."""

    def __init__(self, url: str, metrics: Metrics, outage: Outage) -> None:
        """Take the database, the counters, and the outage of PostgreSQL, during which nothing else is reported."""
        self._url = url
        self._metrics = metrics
        self._outage = Outage(_log, within=outage)
        self._connection: Connection | None = None

    def run(self) -> None:
        """Roll up until killed; failures are logged and tried again."""
        failures = 0
        while True:
            gevent.sleep(_RETRY.wait_s(failures - 1) if failures else ROLL_UP_EVERY_S)
            try:
                roll_up(self._connected())
                failures = 0
                self._outage.end(logging.WARNING, "sums are rolled up again")
            except TollbookError as error:
                failures += 1
                self._disconnect()
                self._metrics.sum_rollups_failed += 1
                self._outage.fail(logging.WARNING, "sums not rolled up", reason=str(error))

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = connect(self._url, name="sums", autocommit=True)
            check_schema(self._connection)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
