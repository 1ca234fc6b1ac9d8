"""Batches: takes what waits, in the spool or in the inbox, and goes again the moment the last batch has committed."""

import contextlib
import logging
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path

import gevent
import msgspec
from gevent.event import Event

from esl_listener.backoff import Backoff
from esl_listener.dead_letter import save_leg
from esl_listener.inbox import Inbox, Spooler
from esl_listener.liveness import Liveness
from esl_listener.metrics import Metrics
from esl_listener.spool import Segment
from rating.engine import Tariffs
from rating.loader import load_tariffs
from tollbook.errors import TollbookError
from tollbook.log import log_line
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Leg
from tollbook.model.trunks import TrunkRules
from tollbook.store.calls.batch import Refused, write_around_poison
from tollbook.store.calls.switch_processes import OpenLeg, note, open_legs
from tollbook.store.database import Connection, check_schema, connect, store_errors
from tollbook.store.days.partitions import Partitions, make_ready
from tollbook.store.tariffs import tariffs

_log = logging.getLogger("tollbook.writer")

# Small and quick when quiet, large when busy; beyond 500 legs a batch only holds its locks longer.
BATCH_LEGS = 500
# Waiting this long for company halves the work when calls trickle in, and is not noticed.
LINGER_S = 0.005
TARIFFS_CHECK_S = 2.0
# The next days' partitions stand ready before midnight, also when nobody runs `tollbook db upgrade` for a week.
DAYS_CHECK_S = 3600.0

# A batch takes 10 to 200 ms. After two seconds what waits behind it goes to the disk, where a kill cannot reach it.
SPOOL_AFTER_S = 2.0
# Twenty times and more what the slowest healthy statement takes, and soon enough to be one outage, not many. A lock
# is given half of that, so that the log names the lock.
LIMITS = "SET lock_timeout = '5s'; SET statement_timeout = '10s'"
# PostgreSQL's own limits do not help against a server that hangs, or a network that swallows everything. Above
# connect_timeout, and above what a batch that meets each of its limits once may take.
GIVE_UP_S = 30.0
# Knocking every other second costs a server that comes back nothing, and rows should be there soon after it.
LONGEST_RETRY_S = 2.0


class Writer:
    """The one greenlet that writes. `url` is PostgreSQL's, `dead_letters` the folder for legs that it refuses."""

    def __init__(
        self,
        url: str,
        inbox: Inbox,
        spooler: Spooler,
        liveness: Liveness,
        trunk_rules: TrunkRules,
        metrics: Metrics,
        dead_letters: Path,
    ) -> None:
        self._url = url
        self._inbox = inbox
        self._spooler = spooler
        self._liveness = liveness
        self._trunk_rules = trunk_rules
        self._metrics = metrics
        self._dead_letters = dead_letters
        self._partitions = Partitions()
        self._connection: Connection | None = None
        self._fold_settings = FoldSettings(trunk_rules=trunk_rules)
        self._tariffs = Tariffs()
        self._tariffs_version = 0
        self._tariffs_checked_s = 0.0
        self._loading: gevent.Greenlet[[], None] | None = None
        self._days_checked_s: float | None = None
        self._replaying: Segment | None = None
        self._failures = 0
        self._begun_s = time.monotonic()
        self._stop = Event()

    def prepare(self) -> None:
        """Connect, check the schema and load the tariffs; raises our errors, for the process to end with."""
        self._connected()

    @property
    def away(self) -> bool:
        """Tell whether PostgreSQL fails, or keeps us waiting: then new legs belong on the disk."""
        return self._failures > 0 or time.monotonic() - self._begun_s > SPOOL_AFTER_S

    def stop(self) -> None:
        """Ask `run` to return: when all is written, or at once when legs wait on disk or PostgreSQL is away."""
        self._stop.set()

    def run(self) -> None:
        """Write until stopped, the oldest first. PostgreSQL being away delays, and loses nothing."""
        backoff = Backoff(longest_s=LONGEST_RETRY_S)
        while not self._finished():
            self._begun_s = time.monotonic()
            giving_up: gevent.Greenlet[[], None] = gevent.Greenlet(self.cut)
            giving_up.start_later(GIVE_UP_S)
            try:
                if not self._replay():
                    self._write_heard()
                self._failures = 0
            except TollbookError as error:
                # A schema that changed under us is waited for as well: an operator is upgrading.
                wait_s = backoff.wait_s(self._failures)
                self._failures += 1
                self._metrics.batches_retried += 1
                self._disconnect()
                log_line(_log, logging.ERROR, str(error), waiting_legs=len(self._inbox), next_try_s=round(wait_s, 1))
                self._stop.wait(wait_s)
            finally:
                giving_up.kill(block=False)
        self._disconnect()

    def cut(self) -> None:
        """End a wait for PostgreSQL: the statement fails as if the connection had broken."""
        if self._connection is None or self._connection.closed:
            return
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)

    def open_legs(self, address: str) -> list[OpenLeg]:
        """Read, on a connection of its own, the legs open for a switch's address; raises StoreUnavailable."""
        # store_errors outermost: the connection may be found dead as late as at the commit that ends it.
        with store_errors(), connect(self._url, name="channels") as connection:
            connection.execute(LIMITS)
            return open_legs(connection, address)

    def _finished(self) -> bool:
        on_disk = self._spooler.waiting or self._replaying
        return self._stop.is_set() and bool(self._failures or on_disk or not self._inbox)

    @property
    def _most_legs(self) -> int:
        """A database that is too slow for a large batch may manage a small one."""
        return max(1, BATCH_LEGS >> self._failures)

    def _replay(self) -> bool:
        """Write a batch from the spool; False when the spool holds nothing."""
        segment = self._replaying = self._replaying or self._spooler.take()
        if segment is None:
            return False
        batch = segment.legs[: self._most_legs]
        self._write(batch)
        del segment.legs[: len(batch)]
        if not segment.legs:
            self._spooler.remove(segment)
            self._replaying = None
        return True

    def _write_heard(self) -> None:
        """Write a batch from the inbox, and the switches' signs of life; what fails is put back."""
        if self._inbox.wait(timeout_s=0.5) and len(self._inbox) < BATCH_LEGS and not self._stop.is_set():
            gevent.sleep(LINGER_S)
        legs = self._inbox.take(self._most_legs)
        processes = self._liveness.take()
        try:
            self._write(legs)
            self._keep_days_ready()
            if processes:
                note(self._connected(), processes)
        except BaseException:
            self._inbox.put_back(legs)
            self._liveness.put_back(processes)
            raise

    def _write(self, legs: Sequence[Leg]) -> None:
        if not legs:
            return
        connection = self._connected()
        self._refresh_tariffs(connection)
        try:
            written, refused = write_around_poison(
                connection, legs, self._fold_settings, self._tariffs.price, self._partitions
            )
        except TollbookError:
            raise
        except Exception as error:  # noqa: BLE001 - the reason is the next line
            # A leg that a rule of ours fails on must not hold up all others, now and after every restart.
            _log.exception("a batch of %d legs failed", len(legs))
            if len(legs) > 1:
                self._write(legs[: len(legs) // 2])
                self._write(legs[len(legs) // 2 :])
            else:
                self._save_dead_letter(Refused(leg=legs[0], reason=f"{type(error).__name__}: {error}"))
            return
        self._metrics.batches += 1
        self._metrics.legs_written += written.legs
        self._metrics.rows_written += len(written.rows)
        self._metrics.rows_unrated += sum(1 for _, price in written.rows if price and price.unrated)
        for one in refused:
            self._save_dead_letter(one)

    def _keep_days_ready(self) -> None:
        now_s = time.monotonic()
        if self._days_checked_s is None or now_s - self._days_checked_s > DAYS_CHECK_S:
            make_ready(self._connected())
            self._days_checked_s = now_s

    def _save_dead_letter(self, refused: Refused) -> None:
        """Keep a leg that PostgreSQL will never take, with the reason."""
        self._metrics.legs_set_aside += 1
        kept = gevent.get_hub().threadpool.apply(_kept, (self._dead_letters, refused))
        log_line(
            _log,
            logging.ERROR,
            "a leg was kept as a dead letter",
            leg=refused.leg.uid,
            file=kept,
            reason=refused.reason,
        )
        if isinstance(kept, OSError):
            # The log is the last place there is: the leg goes there whole.
            _log.error("that leg is %s", msgspec.json.encode(refused.leg).decode())

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.broken:
            self._disconnect()
            self._tariffs_checked_s = 0.0
            self._connection = connection = connect(self._url, name="listen")
            with store_errors():
                connection.execute(LIMITS)
                connection.commit()
            check_schema(connection)
            self._refresh_tariffs(connection)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _refresh_tariffs(self, connection: Connection) -> None:
        """See whether accounts or rates changed, and load them beside the batches: a million rates take seconds."""
        if time.monotonic() - self._tariffs_checked_s < TARIFFS_CHECK_S and self._tariffs_checked_s:
            return
        with store_errors():
            try:
                version = tariffs.version(connection)
            finally:
                connection.rollback()
        self._tariffs_checked_s = time.monotonic()
        if not self._tariffs_version:
            self._load_tariffs()  # nothing is priced before the first load
        elif version != self._tariffs_version and not self._loading:
            self._loading = gevent.spawn(self._reload_tariffs)

    def _reload_tariffs(self) -> None:
        """Load, or leave what is there until the next look at the version."""
        try:
            self._load_tariffs()
        except TollbookError as error:
            log_line(_log, logging.WARNING, "tariffs not loaded", reason=str(error))

    def _load_tariffs(self) -> None:
        """Load accounts and rates in one snapshot, never half of a deck, on a connection without the batches' limits.

        Raises our errors.
        """
        with store_errors(), connect(self._url, name="tariffs") as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            version = tariffs.version(connection)
            loaded = load_tariffs(connection, self._tariffs)
            owners = tariffs.number_owners(connection)
        self._tariffs, self._tariffs_version = loaded, version
        self._fold_settings = FoldSettings(trunk_rules=self._trunk_rules, number_owners=owners)
        log_line(_log, logging.INFO, "tariffs loaded", version=version, accounts=len(loaded.accounts))


def _kept(folder: Path, refused: Refused) -> Path | OSError:
    """Return the error, because gevent's pool prints those that are raised."""
    try:
        return save_leg(folder, refused.leg, refused.reason)
    except OSError as error:
        return error
