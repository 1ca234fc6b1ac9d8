"""The process `tollbook deliver`: reads what is due, sends it, and writes what came of it, until SIGTERM.

One loop asks the database, in a thread, a few times a second while it is quiet and at once when something was
delivered; what it reads is sent by tasks of their own. Several processes share the endpoints
(`tollbook.store.events.turns`). A kill between a receiver's answer and our note of it sends an event twice.
"""

import asyncio
import logging
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Final

from maintenance.deliver.dispatcher import MAX_ENDPOINTS, Dispatcher
from maintenance.deliver.envelope import cloud_event, envelope, nats_subject
from maintenance.deliver.http_sender import TIMEOUT_S, HttpSender
from maintenance.deliver.nats_sender import NatsSender
from maintenance.deliver.outcome import Outcome, Settlement, settlement
from maintenance.deliver.turn_keeper import RENEW_S, TurnKeeper
from tollbook.backoff import Backoff
from tollbook.config import Settings
from tollbook.errors import Retryable
from tollbook.log import Outage, log_line
from tollbook.model.endpoints import webhook_name
from tollbook.model.presentation import Presentation
from tollbook.store.database import Connection, TimeLimits, check_schema, connect
from tollbook.store.events.nats import keep_nats
from tollbook.store.events.queue import Delivery, Endpoint, read_due, read_endpoints, settle, wait_for_earlier
from tollbook.store.events.turns import TURNS, Turns
from tollbook.store.history import recognise
from tollbook.systemd import notify, watchdog_interval_s

_log = logging.getLogger("tollbook.deliver")

#: How often to look for what is due while nothing is: an event waits for half of this, as a rule.
POLL_S: Final = 0.2
# Answers that come together are written together.
_GATHER_S: Final = 0.005
#: After SIGTERM, what is under way has so long to end: a little more than a delivery takes at most.
DRAIN_S: Final = TIMEOUT_S + 2
_AWAY: Final = Backoff(first_s=0.25, longest_s=5.0)
_LIMITS: Final = TimeLimits(statement_s=30, lock_s=10)


def deliver(settings: Settings) -> None:
    """Deliver until SIGTERM or SIGINT. Raises at the start what makes it impossible."""
    asyncio.run(_Service(settings).run())


class _Restored(Retryable):
    """The database is a copy, or was restored: until somebody has said that it may, nothing is delivered."""


class _Service:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = settings.require_database_url()
        self._store = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._connection: Connection | None = None
        self._dispatcher = Dispatcher()
        self._outcomes: list[Outcome] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._turns = TurnKeeper(
            Turns(self._url), in_use=partial(self._dispatcher.turns_in_use, TURNS), changed=self._wake.set
        )
        self._stop = asyncio.Event()
        self._stopping = False
        self._looked_after_s = 0.0
        self._outage = Outage(_log)
        self._nats_outage = Outage(_log, settle_s=5.0)
        presentation = partial(Presentation, recordings=settings.recording_paths)
        self._to_operators = presentation(hides_carriers=False, whole_paths=True)
        self._to_accounts = presentation(hides_carriers=not settings.tenants_see_carriers, whole_paths=False)

    async def run(self) -> None:
        """Run to the end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ask_to_stop)
        with suppress(_Restored):  # which is waited out, as an outage
            await loop.run_in_executor(self._store, self._connected)
        self._http = HttpSender(self._settings.webhook_private)
        self._nats = NatsSender(self._settings.nats.get_secret_value()) if self._settings.nats else None
        renewing = asyncio.create_task(self._turns.run())
        try:
            await self._serve()
            await self._drain()
        finally:
            renewing.cancel()
            await self._http.close()
            if self._nats is not None:
                await self._nats.close()
            await self._turns.close()
            self._store.shutdown()
        log_line(_log, logging.INFO, "stopped")

    async def _serve(self) -> None:
        failures, beat_s = 0, -watchdog_interval_s()
        while not self._stop.is_set():
            if await self._step():
                if failures or beat_s < 0:
                    self._outage.end(logging.WARNING, "PostgreSQL answers again")
                failures = 0
                if time.monotonic() - beat_s >= watchdog_interval_s():
                    notify("READY=1\nWATCHDOG=1")
                    beat_s = time.monotonic()
                await self._pause()
            else:
                failures += 1
                notify("READY=1\nWATCHDOG=1")  # PostgreSQL is away, and we live
                await self._wait(self._stop, _AWAY.wait_s(failures))

    async def _step(self) -> bool:
        """Write what came of deliveries, read what is due, and begin to send it; return whether PostgreSQL took it."""
        outcomes, self._outcomes = self._outcomes, []
        self._wake.clear()
        try:
            due = await asyncio.get_running_loop().run_in_executor(self._store, self._exchange, outcomes)
        except Retryable as error:
            self._outcomes = outcomes + self._outcomes
            self._disconnect()
            self._outage.fail(logging.ERROR, "nothing is delivered", reason=str(error))
            return False
        for delivery in due:
            endpoint = self._dispatcher.begin(delivery)
            if endpoint is not None:
                task = asyncio.create_task(self._deliver(endpoint, delivery))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        return True

    def _exchange(self, outcomes: list[Outcome]) -> list[Delivery]:
        """In the thread of the database: the loop waits, so that nothing else uses the dispatcher."""
        connection, dispatcher = self._connected(), self._dispatcher
        if outcomes:
            endpoints = dispatcher.endpoints.values()
            found = settlement(
                outcomes,
                {endpoint.webhook_id: endpoint.failures for endpoint in endpoints},
                {endpoint.webhook_id: endpoint.failing_for_s for endpoint in endpoints},
            )
            settle(connection, found.delivered, found.failed, found.states)
            dispatcher.end([outcome.delivery.key for outcome in outcomes])
            _report(found)
            outcomes.clear()  # they are written: whatever fails from here on must not have them counted again
        held = frozenset[int]() if self._stopping else self._turns.held()
        dispatcher.replace(read_endpoints(connection, held, of=TURNS, limit=MAX_ENDPOINTS))
        if (failing := dispatcher.failing()) and time.monotonic() - self._looked_after_s > RENEW_S:
            wait_for_earlier(connection, failing)
            self._looked_after_s = time.monotonic()
        return read_due(connection, dispatcher.rooms(), dispatcher.busy, limit=dispatcher.free)

    async def _deliver(self, endpoint: Endpoint, delivery: Delivery) -> None:
        try:
            outcome = await self._send(endpoint, delivery)
        except Exception as error:  # noqa: BLE001 - what one event does must not end the others
            log_line(_log, logging.ERROR, "cannot be sent", endpoint=webhook_name(endpoint.webhook_id), error=error)
            outcome = Outcome(delivery=delivery, error=f"{type(error).__name__}: {error}")
        self._outcomes.append(outcome)
        self._wake.set()

    async def _send(self, endpoint: Endpoint, delivery: Delivery) -> Outcome:
        presentation = self._to_operators if endpoint.account_id is None else self._to_accounts
        if endpoint.kind != "nats":
            return await self._http.send(endpoint, delivery, envelope(delivery, presentation))
        if self._nats is None:
            return Outcome(delivery=delivery, error="TOLLBOOK_NATS is not set for this process")
        outcome = await self._nats.publish(delivery, nats_subject(delivery), cloud_event(delivery, presentation))
        if outcome.error:
            self._nats_outage.fail(logging.ERROR, "NATS takes no events", reason=outcome.error)
        else:
            self._nats_outage.end(logging.WARNING, "NATS takes events again")
        return outcome

    async def _drain(self) -> None:
        """Let what is under way end, and write what came of it."""
        notify("STOPPING=1")
        self._stopping = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=DRAIN_S)
            for task in late:
                task.cancel()
        if self._outcomes:
            await self._step()

    async def _pause(self) -> None:
        """Wait until something was delivered, or for a while, and then for what is delivered with it."""
        await self._wait(self._wake, POLL_S if self._dispatcher.endpoints else RENEW_S)
        if self._wake.is_set():
            await asyncio.sleep(_GATHER_S)

    async def _wait(self, event: asyncio.Event, limit_s: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), limit_s)

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            connection = connect(self._url, name="deliver", autocommit=True, limits=_LIMITS)
            try:
                check_schema(connection)
                if (found := recognise(connection, self._settings.data_dir)) is not None:
                    raise _Restored(f"{found}; a copy must not tell customers of calls")
                where = self._settings.nats.get_secret_value().rpartition("@")[2] if self._settings.nats else None
                keep_nats(connection, where)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask_to_stop(self) -> None:
        self._stop.set()
        self._wake.set()


def _report(settled: Settlement) -> None:
    """Log what an operator has to know; `tollbook webhook list` has the rest."""
    for state in settled.states:
        name = webhook_name(state.webhook_id)
        if state.off:
            log_line(_log, logging.ERROR, "endpoint switched off", endpoint=name, why=state.off)
        elif state.dead:
            log_line(_log, logging.WARNING, "given up", endpoint=name, deliveries=state.dead, error=state.error)
