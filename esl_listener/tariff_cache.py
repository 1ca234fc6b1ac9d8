"""The accounts and rates that batches are priced by, in memory, and loaded again when they change."""

import logging
import time

import gevent

from esl_listener.metrics import Metrics
from rating.engine import Tariffs
from rating.loader import load_tariffs
from tollbook.errors import TollbookError
from tollbook.log import Outage, log_line
from tollbook.model.fold import FoldSettings
from tollbook.model.trunks import TrunkRules
from tollbook.store.database import Connection, connect, store_errors
from tollbook.store.tariffs import tariffs

_log = logging.getLogger("tollbook.writer")

CHECK_EVERY_S = 2.0


class TariffCache:
    """`tariffs` prices calls, `fold_settings` knows who owns which number; each is exchanged whole.

    Nothing is priced before the first load. Later changes are loaded beside the batches: a million rates take seconds.
    """

    def __init__(self, url: str, trunk_rules: TrunkRules, metrics: Metrics, outage: Outage) -> None:
        """Take what is read, the counters, and the outage of PostgreSQL, during which nothing else is reported."""
        self.tariffs = Tariffs()
        self.fold_settings = FoldSettings(trunk_rules=trunk_rules)
        self._url = url
        self._trunk_rules = trunk_rules
        self._metrics = metrics
        self._outage = Outage(_log, within=outage)
        self._version = 0
        self._checked_s: float | None = None
        self._loading: gevent.Greenlet[[], None] | None = None

    @property
    def loaded(self) -> bool:
        """Whether there are tariffs to price calls with."""
        return self._version > 0

    def expire(self) -> None:
        """Make the next `refresh` look at the database, however soon it comes."""
        self._checked_s = None

    def refresh(self, connection: Connection) -> None:
        """Check, at most every CHECK_EVERY_S, whether accounts or rates have changed. Raises our errors."""
        if self._checked_s is not None and time.monotonic() - self._checked_s < CHECK_EVERY_S:
            return
        with store_errors():
            try:
                version = tariffs.tariff_version(connection)
            finally:
                connection.rollback()
        self._checked_s = time.monotonic()
        if not self.loaded:
            self._load()
        elif version != self._version and not self._loading:
            self._loading = gevent.spawn(self._reload)

    def _reload(self) -> None:
        """Load, or keep what is there until the next check."""
        try:
            self._load()
            self._outage.end(logging.WARNING, "tariffs can be loaded again")
        except TollbookError as error:
            self._metrics.tariff_loads_failed += 1
            self._outage.fail(logging.WARNING, "tariffs not loaded: calls are priced with the old ones", reason=error)

    def _load(self) -> None:
        """Load accounts and rates in one snapshot, so never half of a deck. Raises our errors.

        On a connection of its own, which has not the batches' time limits.
        """
        with store_errors(), connect(self._url, name="tariffs") as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            version = tariffs.tariff_version(connection)
            loaded = load_tariffs(connection, self.tariffs)
            owners = tariffs.number_owners(connection)
        self.tariffs, self._version = loaded, version
        self.fold_settings = FoldSettings(trunk_rules=self._trunk_rules, number_owners=owners)
        log_line(_log, logging.INFO, "tariffs loaded", version=version, accounts=len(loaded.accounts))
