"""One switch: connect, subscribe, read, reconcile channels; and again, for ever. Switches never wait for each other."""

import logging
import time
from collections.abc import Callable

import gevent
from gevent.event import AsyncResult, Event

from esl_listener.agents import AgentInbox, ask_for_agents
from esl_listener.channels import compare_channels
from esl_listener.connection import EventSocket
from esl_listener.decoder import Decoder
from esl_listener.inbox import Inbox
from esl_listener.liveness import HeartbeatTimeout, Liveness, NewestEvent
from esl_listener.metrics import Metrics
from esl_listener.open_legs import OpenLegReader
from esl_listener.reconcile import DENIED_TWICE_AFTER_S, ChannelReconciler
from esl_listener.session_audit import SessionAudit, sessions_in, shows_session
from tollbook.backoff import Backoff
from tollbook.errors import SwitchRefused, SwitchUnavailable, TollbookError
from tollbook.esl.framing import Frame
from tollbook.log import Outage, log_line
from tollbook.model.agents.change import changes_of
from tollbook.model.event import SwitchEvent
from tollbook.model.leg import leg_of
from tollbook.setting_values import EslAddress
from tollbook.store.calls.switch_processes import SwitchProcess
from tollbook.times import US_PER_SECOND

_log = logging.getLogger("tollbook.switch")

# The first three give every row; RECORD_STOP and those of the two modules only its details. A switch without such a
# module takes the subscription and sends none. After CUSTOM, every word is a subclass.
EVENTS = (
    "CHANNEL_CREATE CHANNEL_ANSWER CHANNEL_HANGUP_COMPLETE HEARTBEAT RECORD_STOP"
    " CUSTOM callcenter::info vm::maintenance"
)
# Without any reason, channels are compared this often: an overflowing switch drops events without a word.
RECONCILE_EVERY_S = 300.0
# With a reason, no more often than this, because a comparison asks about every open leg.
RECONCILE_AT_MOST_EVERY_S = 10.0
# After a connection that lasted this long, the next wait is the shortest again. After a shorter one the waits grow, so
# that a switch that accepts and then drops us is not tried four times a second; but only to 2 s, because nothing is
# heard meanwhile.
STABLE_S = 1.0
_MOST_FAILURES_AFTER_SUCCESS = 3

_LOST_HINT = "its end is an estimate until `tollbook recover` reads its CDR file"


class SwitchListener:
    """Keeps one switch connected, and puts into the inbox what it reports about its legs.

    `on_connected` is called after each connect. `tried` becomes the outcome of the first try to connect: None, or the
    error.
    """

    def __init__(
        self,
        address: EslAddress,
        decoder: Decoder,
        inbox: Inbox,
        open_legs: OpenLegReader,
        on_connected: Callable[[], None],
        liveness: Liveness,
        metrics: Metrics,
        database_outage: Outage,
        agents: AgentInbox,
    ) -> None:
        self.address = address
        self._address_text = str(address)
        self._decoder = decoder
        self._inbox = inbox
        self._open_legs = open_legs
        self._on_connected = on_connected
        self.tried: AsyncResult[SwitchUnavailable | SwitchRefused | None] = AsyncResult()
        self._liveness = liveness
        self._metrics = metrics
        self._agents = agents
        self._socket: EventSocket | None = None
        self._core = ""
        self._reconciler = ChannelReconciler()
        self._heard_us = 0
        self._creations_wait = False
        self._newest = NewestEvent()
        self._wake = Event()
        self._reconcile_not_before_s = 0.0
        self._audit = SessionAudit()
        self._heartbeat_timeout = HeartbeatTimeout()
        self._stopping = False
        self._outage = Outage(_log)
        self._comparing_outage = Outage(_log, within=database_outage)
        #: How many seconds after the switch's clock stamped it the last heartbeat was read; None: not connected.
        self.lag_s: float | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the switch is heard."""
        return self._socket is not None

    def _connect(self) -> EventSocket:
        """Connect and subscribe; return the connection. Raises SwitchRefused or SwitchUnavailable."""
        connection = EventSocket(self.address, self._on_event, self._on_read)
        self._core = ""
        self._audit = SessionAudit()
        self._heartbeat_timeout.interrupt()
        connection.connect()
        connection.silence_limit_s = self._heartbeat_timeout.limit_s
        # Before the first event, so that it is written before the signs of life that come now.
        self._agents.begin(self._address_text, self._heard_us)
        reply = connection.send(f"event {self.address.format} {EVENTS}")
        if not reply.startswith("+OK"):
            connection.stop()
            raise SwitchUnavailable(f"{self.address} refuses the subscription: {reply}")
        self._socket = connection
        self._metrics.connections += 1
        if not self._outage.is_on:  # else `_report_stable` says so, once it lasts
            log_line(_log, logging.INFO, "listening", switch=self.address)
        self._on_connected()
        return connection

    def run(self) -> None:
        """Stay connected until stopped."""
        backoff, failures = Backoff(), 0
        while not self._stopping:
            connected_s: float | None = None
            try:
                connection = self._connect()
                self.tried.set(None)
                connected_s = time.monotonic()
                self._until_closed(connection)
            except (SwitchUnavailable, SwitchRefused) as error:
                if not self.tried.ready():
                    self.tried.set(error)
                if self._stopping:
                    return
                if connected_s is not None:
                    lasted_s = time.monotonic() - connected_s
                    failures = 0 if lasted_s > STABLE_S else min(failures, _MOST_FAILURES_AFTER_SUCCESS)
                self._outage.fail(logging.ERROR, str(error))
                failures += 1
                gevent.sleep(backoff.wait_s(failures - 1))

    def stop(self) -> None:
        """Close the connection in order. When this returns, everything that was read has been put."""
        self._stopping = True
        if self._socket is not None:
            self._socket.leave()

    def _until_closed(self, connection: EventSocket) -> None:
        if self._stopping:  # stopped while we were connecting, when there was nothing to leave yet
            connection.leave()
        reconciling: gevent.Greenlet[..., None] = gevent.Greenlet(self._keep_reconciling)
        reconciling.start()
        settling: gevent.Greenlet[[], None] = gevent.Greenlet(self._report_stable)
        settling.start_later(STABLE_S)
        try:
            raise connection.wait_closed()
        finally:
            reconciling.kill()
            settling.kill()
            self._metrics.frames_refused += connection.frames_refused
            self._socket, self.lag_s = None, None

    def _report_stable(self) -> None:
        self._outage.end(logging.WARNING, "listening again", switch=self.address)

    def _keep_reconciling(self) -> None:
        while True:
            while (wait_s := self._reconcile_not_before_s - time.monotonic()) > 0:
                gevent.sleep(min(wait_s, 0.5))
            self._reconcile_not_before_s = time.monotonic() + RECONCILE_AT_MOST_EVERY_S
            self._wake.clear()
            try:
                self._reconcile()
                self._comparing_outage.end(logging.WARNING, "channels are compared again", switch=self.address)
                next_s = DENIED_TWICE_AFTER_S if self._reconciler.has_denied else RECONCILE_EVERY_S
            except TollbookError as error:
                self._metrics.comparisons_failed += 1
                self._comparing_outage.fail(logging.WARNING, f"channels not compared: {error}", switch=self.address)
                next_s = RECONCILE_AT_MOST_EVERY_S
            self._wake.wait(next_s)

    def _reconcile(self) -> None:
        """Start rows for calls that began unheard, and end legs that are gone without an end.

        On a connection of its own: on the first one, answers come after all queued events.
        """
        legs = self._open_legs.read(str(self.address))
        asking = EventSocket(self.address, lambda _: None, lambda: None)
        try:
            asking.connect()
            found = compare_channels(
                lambda command: asking.send(f"api {command}"), self._decoder, legs, str(self.address)
            )
            listed = ask_for_agents(lambda command: asking.send(f"api {command}"), self._heard_us)
        finally:
            # Not `leave`: nothing comes over it that could be lost, and a switch that hangs would not answer.
            asking.stop()
        if listed is not None:
            self._agents.put_list(listed)
        if found is None:
            return
        for leg in found.new_legs:
            self._inbox.put(leg)
        for gone in self._reconciler.close_gone(
            found, core=self._core, now_s=time.monotonic(), switch_us=self._heard_us
        ):
            self._inbox.put(gone.leg)
            log_line(_log, logging.WARNING, gone.reason, leg=gone.leg.uid, switch=self.address, hint=_LOST_HINT)

    def _on_event(self, frame: Frame) -> None:
        event = self._decoder.decode(frame.type, frame.body, created=self._creations_wait)
        name = event.switchname or self._address_text
        self._heard_us = event.at_us
        self._newest.hear(event)
        if not self._core and event.core:
            # A process of the switch keeps its Core-UUID, and its connections end with it: one connection, one core.
            # Only now can a comparison recognise a restart, so it is made at once.
            self._core = event.core
            self._reconcile_not_before_s = 0.0
            self._wake.set()
        if event.name == "HEARTBEAT":
            self._on_heartbeat(frame, event, name)
            return
        self._metrics.events += 1
        leg = leg_of(event, name)
        if leg is not None and leg.end is not None:
            # While the database is behind, the creation of nearly every leg that ends still waits, and says what the
            # end need not be read for. It is written with the end: nothing comes between this look and the `put`.
            created, self._creations_wait = self._creations_wait, self._inbox.has_creation(leg.key)
            if created and not self._creations_wait:
                event = self._decoder.decode(frame.type, frame.body)
                leg = leg_of(event, name)
        if shows_session(event, leg):
            self._audit.hear()
        if leg is not None:
            self._inbox.put(leg)
            if event.agent:
                self._agents.served.add_phone(event, name)
        elif event.name.startswith("CHANNEL_"):
            self._metrics.events_without_leg += 1
        elif event.agent:  # most events of a queue are about an agent, and name no leg
            self._note_agent(event, name)

    def _on_read(self) -> None:
        """Note that the switch lives: once for all events of a chunk, which one process of it made."""
        if (newest := self._newest.take()) is not None:
            self._note_life(newest, newest.switchname or self._address_text)

    def _note_agent(self, event: SwitchEvent, name: str) -> None:
        changes = changes_of(event, name)
        if changes is None:
            self._metrics.agent_changes_refused += 1
        elif changes and (dropped := self._agents.put(self._address_text, changes)):
            self._metrics.agent_changes_refused += dropped
            self._wake.set()  # what the agents do now is asked for, once there is room

    def _note_life(self, event: SwitchEvent, name: str, unheard: int = 0) -> None:
        """Note that the switch's process lived when it made this event: its calls end there if it is killed next."""
        self._liveness.note(
            SwitchProcess(
                core=event.core,
                address=self._address_text,
                switch=name,
                sequence=event.sequence,
                seen_us=event.at_us,
                unheard=unheard,
            )
        )

    def _on_heartbeat(self, frame: Frame, event: SwitchEvent, name: str) -> None:
        self._heartbeat_timeout.beat(time.monotonic(), event.at_us)
        self.lag_s = time.time() - event.at_us / US_PER_SECOND
        if self._socket is not None:
            self._socket.silence_limit_s = self._heartbeat_timeout.limit_s
        sessions = sessions_in(frame.type, frame.body)
        gap = None if sessions is None else self._audit.beat(sessions)
        if gap is not None:
            self._note_life(event, name, gap.unheard)
            self._metrics.sessions_unheard += gap.unheard
            self._wake.set()
            message = "the switch counts sessions whose events never arrived: comparing channels"
            numbers = {"unheard": gap.unheard, "sessions": gap.sessions, "heard": gap.heard}
            log_line(_log, logging.WARNING, message, switch=self.address, **numbers)
