"""Batches: takes what the inbox holds, writes it, and goes again the moment the last batch has committed."""

import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import gevent
import msgspec

from esl_listener.backoff import Backoff
from esl_listener.counts import Counts
from esl_listener.inbox import Inbox
from esl_listener.signs import Signs
from rating.engine import Tariffs
from rating.loader import load_tariffs
from tollbook.errors import TollbookError
from tollbook.log import event
from tollbook.model.fold import Operator
from tollbook.model.leg import Leg, lost
from tollbook.model.offnet import Peers
from tollbook.store import tariffs
from tollbook.store.batch import Refused, write_around_poison
from tollbook.store.database import Connection, check_schema, connect, store_errors
from tollbook.store.legs import up as legs_up
from tollbook.store.lives import Life, close, note
from tollbook.store.partitions import Partitions

_log = logging.getLogger("tollbook.writer")

# Small and quick when quiet, large when busy; beyond 500 legs a batch only holds its locks longer.
BATCH_LEGS = 500
# Waiting this long for company halves the work when calls trickle in, and is not noticed.
LINGER_S = 0.005
TARIFFS_CHECK_S = 2.0


class Writer:
    """The one greenlet that writes. `url` is PostgreSQL's, `set_aside` the file for legs that it refuses."""

    def __init__(self, url: str, inbox: Inbox, signs: Signs, peers: Peers, counts: Counts, set_aside: Path) -> None:
        self._url = url
        self._inbox = inbox
        self._signs = signs
        self._peers = peers
        self._counts = counts
        self._set_aside = set_aside
        self._partitions = Partitions()
        self._connection: Connection | None = None
        self._operator = Operator(peers=peers)
        self._tariffs = Tariffs(decks={})
        self._tariffs_version = 0
        self._tariffs_checked_s = 0.0
        self._stopping = False

    def prepare(self) -> None:
        """Connect, check the schema and load the tariffs; raises our errors, for the process to end with."""
        self._connected()

    def stop(self) -> None:
        """Ask `run` to return once everything that waits is written."""
        self._stopping = True

    def run(self) -> None:
        """Write until stopped. PostgreSQL being away delays, and loses nothing."""
        backoff, failures = Backoff(), 0
        while True:
            some = self._inbox.wait(timeout_s=0.5)
            lives = self._signs.take()
            if not some and self._stopping:
                break
            if not some and not lives:
                continue
            if len(self._inbox) < BATCH_LEGS and not self._stopping:
                gevent.sleep(LINGER_S)
            legs = self._inbox.take(BATCH_LEGS)
            try:
                if legs:
                    self._write(legs)
                if lives:
                    self._note(lives)
                failures = 0
            except TollbookError as error:
                # A schema that changed under us is waited for as well: an operator is upgrading.
                self._inbox.put_back(legs)
                self._signs.put_back(lives)
                self._disconnect()
                self._counts.batches_retried += 1
                wait_s = backoff.wait_s(failures)
                event(_log, logging.ERROR, str(error), waiting_legs=len(self._inbox), next_try_s=round(wait_s, 1))
                failures += 1
                gevent.sleep(wait_s)
        self._disconnect()

    def _write(self, legs: Sequence[Leg]) -> None:
        connection = self._connected()
        self._refresh_tariffs(connection)
        written, refused = write_around_poison(connection, legs, self._operator, self._tariffs.price, self._partitions)
        self._counts.batches += 1
        self._counts.legs_written += written.legs
        self._counts.rows_written += len(written.rows)
        self._counts.rows_unrated += sum(1 for _, price in written.rows if price and price.unrated)
        for one in refused:
            self._put_aside(one)

    def _note(self, lives: list[Life]) -> None:
        """Record signs of life. A new process at a known address: the calls of the one before are lost, and end."""
        connection = self._connected()
        over = note(connection, lives)
        for life in over:
            with store_errors():
                up = legs_up(connection, life.core)
                connection.rollback()
            event(_log, logging.WARNING, "the switch restarted", switch=life.switch, legs_lost=len(up))
            for begin in range(0, len(up), BATCH_LEGS):
                self._write([lost(leg, life.seen_us) for leg in up[begin : begin + BATCH_LEGS]])
        if over:
            close(connection, over)

    def held(self, core: str) -> list[Leg]:
        """Read, on a connection of its own, the legs that are open for a process; raises StoreUnavailable."""
        with connect(self._url, name="look") as connection, store_errors():
            return legs_up(connection, core)

    def _put_aside(self, refused: Refused) -> None:
        """Keep a leg that PostgreSQL will never take, with the reason."""
        record = {"reason": refused.reason, "leg": msgspec.to_builtins(refused.leg)}
        with self._set_aside.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        self._counts.legs_set_aside += 1
        event(
            _log, logging.ERROR, "a leg was set aside", leg=refused.leg.uid, file=self._set_aside, reason=refused.reason
        )

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.broken:
            self._disconnect()
            connection = connect(self._url, name="listen")
            check_schema(connection)
            self._connection = connection
            self._tariffs_checked_s = 0.0
            self._refresh_tariffs(connection)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _refresh_tariffs(self, connection: Connection) -> None:
        """Load accounts and rates anew when they changed, in one snapshot: never half of a deck."""
        if time.monotonic() - self._tariffs_checked_s < TARIFFS_CHECK_S and self._tariffs_checked_s:
            return
        with store_errors():
            try:
                version = tariffs.version(connection)
                if version != self._tariffs_version:
                    connection.rollback()
                    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                    version = tariffs.version(connection)
                    self._tariffs = load_tariffs(connection)
                    self._operator = Operator(peers=self._peers, number_owners=tariffs.number_owners(connection))
                    self._tariffs_version = version
                    event(_log, logging.INFO, "tariffs loaded", version=version, accounts=len(self._tariffs.decks))
            finally:
                connection.rollback()
        self._tariffs_checked_s = time.monotonic()
