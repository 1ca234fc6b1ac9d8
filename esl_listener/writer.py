"""The writer: takes legs from the spool or the inbox and writes them in batches, one at once after the other."""

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

from esl_listener.agent_writer import write_agents
from esl_listener.agents import AgentInbox
from esl_listener.dead_letter import save_leg
from esl_listener.inbox import Inbox
from esl_listener.liveness import Liveness
from esl_listener.metrics import Metrics
from esl_listener.pace import Rate, linger_s
from esl_listener.segment import Segment
from esl_listener.spooler import Spooler
from esl_listener.tariff_cache import TariffCache
from tollbook.backoff import Backoff
from tollbook.errors import TollbookError
from tollbook.log import Outage, log_line
from tollbook.model.leg import Leg
from tollbook.spool_files import dead_letter_folder
from tollbook.store.calls.poison import Refused, write_around_poison
from tollbook.store.calls.switch_processes import SwitchProcess, note
from tollbook.store.database import (
    Connection,
    TimeLimits,
    check_schema,
    connect,
    plan_once,
)
from tollbook.store.days.partitions import Partitions, make_ready
from tollbook.store.history import recognise
from tollbook.times import US_PER_DAY

_log = logging.getLogger("tollbook.writer")

# Batches are small and quick when it is quiet, large when it is busy. Above 500 legs they only hold their locks longer.
BATCH_LEGS = 500
# A day's first leg costs its partitions, 5 ms or more. A switch whose clock jumps from day to day must not hold up the
# others for all of its days at once.
NEW_DAYS_A_BATCH = 4
# The partitions of the next days are ready before midnight, even when nobody runs `tollbook db upgrade` for a week.
DAYS_CHECK_S = 3600.0

# A batch takes 10 to 200 ms. After two seconds, what waits for it goes to the disk, where a kill cannot reach it.
SPOOL_AFTER_S = 2.0
# Twenty times what the slowest healthy statement takes, or more; and short enough that an outage is one outage, not
# many. A lock gets half of that, so that the log names the lock.
TIME_LIMITS = TimeLimits(lock_s=5, statement_s=10)
# PostgreSQL's own limits do not help against a server that hangs, or a network that swallows everything. Longer than
# connect_timeout, and than a batch that meets each of its limits once.
GIVE_UP_S = 30.0
# Trying every other second costs a server that comes back nothing, and rows should be there soon after it.
LONGEST_RETRY_S = 2.0


class Writer:
    """The only greenlet that writes legs and rows. `data_dir` has the dead letters: legs that PostgreSQL refuses."""

    def __init__(
        self,
        url: str,
        inbox: Inbox,
        spooler: Spooler,
        liveness: Liveness,
        tariff_cache: TariffCache,
        metrics: Metrics,
        data_dir: Path,
        outage: Outage,
        agents: AgentInbox,
    ) -> None:
        self._url = url
        self._inbox = inbox
        self._spooler = spooler
        self._liveness = liveness
        self._agents = agents
        self._tariff_cache = tariff_cache
        self._metrics = metrics
        self._data_dir = data_dir
        self._dead_letters = dead_letter_folder(data_dir)
        self._partitions = Partitions()
        self._connection: Connection | None = None
        self._days_checked_s: float | None = None
        self._replaying: Segment | None = None
        self._outage = outage
        self._failures = 0
        self._begun_s = self._succeeded_s = self._taken_s = time.monotonic()
        self._rate = Rate()
        self._stop = Event()

    def prepare(self) -> None:
        """Connect and check the schema. Raises our errors, with which the process ends."""
        self._connected()

    @property
    def away(self) -> bool:
        """Whether PostgreSQL fails or keeps us waiting, so that new legs belong on the disk."""
        return self._failures > 0 or time.monotonic() - self._begun_s > SPOOL_AFTER_S

    @property
    def silent_s(self) -> float:
        """Return for how many seconds PostgreSQL has not done what was asked: a batch, or less when there is none."""
        return time.monotonic() - self._succeeded_s

    def stop(self) -> None:
        """Ask `run` to return: when everything is written, or at once when legs wait on disk or PostgreSQL is away."""
        self._stop.set()

    def run(self) -> None:
        """Write until stopped, the oldest legs first. An outage of PostgreSQL delays them and loses none."""
        backoff = Backoff(longest_s=LONGEST_RETRY_S)
        while not self._finished():
            self._begun_s = time.monotonic()
            giving_up: gevent.Greenlet[[], None] = gevent.Greenlet(self.cut)
            giving_up.start_later(GIVE_UP_S)
            try:
                if not self._tariff_cache.loaded:  # without waiting for the first leg: it may take seconds
                    self._tariff_cache.refresh(self._connected())
                if not self._replay():
                    self._write_heard()
                self._failures = 0
                self._succeeded_s = time.monotonic()
            except TollbookError as error:
                # This includes a schema that has changed meanwhile: an operator is upgrading.
                wait_s = backoff.wait_s(self._failures)
                self._failures += 1
                self._metrics.batches_retried += 1
                self._disconnect()
                message = f"{error}; until PostgreSQL takes them, legs wait on disk"
                self._outage.fail(logging.ERROR, message, spool_bytes=self._spooler.bytes)
                self._stop.wait(wait_s)
            finally:
                giving_up.kill(block=False)
        self._disconnect()

    def cut(self) -> None:
        """End a wait for PostgreSQL: the statement in progress fails as if the connection had broken."""
        if self._connection is None or self._connection.closed:
            return
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)

    def _finished(self) -> bool:
        on_disk = self._spooler.waiting or self._replaying
        return self._stop.is_set() and bool(self._failures or on_disk or not (self._inbox or self._agents))

    @property
    def _most_legs(self) -> int:
        """The size of the next batch: a database that is too slow for a large one may manage a small one."""
        return max(1, BATCH_LEGS >> self._failures)

    def _replay(self) -> bool:
        """Write a batch from the spool; return False when the spool is empty."""
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
        """Write a batch from the inbox, and the switches' signs of life. What fails is put back."""
        if self._inbox.wait(timeout_s=0.5) and not self._stop.is_set():
            gevent.sleep(linger_s(len(self._inbox), self._rate.per_s))
        taken = self._inbox.take(self._most_legs)
        last_s, self._taken_s = self._taken_s, time.monotonic()
        self._rate.add(len(taken), self._taken_s - last_s)
        legs = self._first_days(taken)
        processes = self._liveness.take()
        try:
            if self._agents.waits:
                # Calls first, and signs of life last: after a kill, what follows the last of them is unknown of agents,
                # and nothing that was heard before it may be missing.
                self._write(legs)
                legs = []
                write_agents(self._connected(), self._agents, self._metrics)
            self._write(legs, processes)
            legs, processes = [], []  # what is committed is not written again, whatever fails now
            self._keep_days_ready()
        except BaseException:
            self._inbox.put_back(legs)
            self._liveness.put_back(processes)
            raise

    def _first_days(self, legs: Sequence[Leg]) -> list[Leg]:
        """Return the legs to write now; those of further days that may have no partition yet wait for their turn."""
        days = self._partitions.first_new((leg.created_us // US_PER_DAY for leg in legs), NEW_DAYS_A_BATCH)
        self._inbox.postpone(leg for leg in legs if leg.created_us // US_PER_DAY not in days)
        return [leg for leg in legs if leg.created_us // US_PER_DAY in days]

    def _write(self, legs: Sequence[Leg], processes: Sequence[SwitchProcess] = ()) -> None:
        """Write legs with the switches' signs of life; a leg that no rule or no database takes is kept on disk."""
        connection = self._connected()
        if not legs:
            note(connection, processes)
            return
        self._tariff_cache.refresh(connection)
        fold_settings, price = self._tariff_cache.fold_settings, self._tariff_cache.tariffs.price
        try:
            written, refused = write_around_poison(
                connection, legs, fold_settings, price, self._partitions, processes=processes
            )
        except TollbookError:
            raise
        except Exception as error:  # noqa: BLE001 - the reason is the next line
            # A leg that a rule of ours fails on must not hold up all others, now and after every restart: halve the
            # batch until that leg is alone.
            _log.exception("a batch of %d legs failed", len(legs))
            if len(legs) > 1:
                self._write(legs[: len(legs) // 2])
                self._write(legs[len(legs) // 2 :])
            else:
                self._save_dead_letter(Refused(leg=legs[0], reason=f"{type(error).__name__}: {error}"))
            note(connection, processes)
            return
        self._metrics.batches += 1
        self._metrics.legs_written += written.legs
        self._metrics.legs_uncounted += written.uncounted
        self._metrics.rows_written += len(written.rows)
        self._metrics.rows_unrated += sum(1 for _, price in written.rows if price and price.unrated)
        self._metrics.rows_in_doubt += sum(1 for row, price in written.rows if row.doubts or (price and price.doubts))
        self._agents.served.add_rows(row for row, _ in written.rows)
        for refused_leg in refused:
            self._save_dead_letter(refused_leg)

    def _keep_days_ready(self) -> None:
        now_s = time.monotonic()
        if self._days_checked_s is None or now_s - self._days_checked_s > DAYS_CHECK_S:
            make_ready(self._connected())
            self._days_checked_s = now_s

    def _save_dead_letter(self, refused: Refused) -> None:
        """Save a leg that PostgreSQL will never take, with the reason."""
        self._metrics.legs_set_aside += 1
        file = gevent.get_hub().threadpool.apply(_save_leg, (self._dead_letters, refused))
        details = {"leg": refused.leg.uid, "file": file, "reason": refused.reason}
        log_line(_log, logging.ERROR, "a leg was kept as a dead letter", **details)
        if isinstance(file, OSError):
            # The log is the last place that is left: the whole leg goes there.
            _log.error("that leg is %s", msgspec.json.encode(refused.leg).decode())

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.broken:
            self._disconnect()
            self._tariff_cache.expire()
            self._connection = connection = connect(self._url, name="listen", limits=TIME_LIMITS)
            check_schema(connection)
            plan_once(connection)
            # It goes on writing whatever is found: calls must not be lost because the database is not what it was.
            if (found := recognise(connection, self._data_dir)) is not None:
                log_line(_log, logging.WARNING, str(found))
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _save_leg(folder: Path, refused: Refused) -> Path | OSError:
    """Save a leg; return the error instead of raising it, because gevent's pool prints what is raised."""
    try:
        return save_leg(folder, refused.leg, refused.reason)
    except OSError as error:
        return error
