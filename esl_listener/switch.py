"""One switch: connect, subscribe, read; and again, for ever. One switch's trouble is never another's."""

import logging
from collections.abc import Callable

import gevent

from esl_listener.backoff import Backoff
from esl_listener.connection import EventSocket
from esl_listener.counts import Counts
from esl_listener.decode import Decoder
from esl_listener.framing import Frame
from tollbook.config import EslAddress
from tollbook.errors import SwitchRefused, SwitchUnavailable
from tollbook.log import event
from tollbook.model.leg import Leg, leg_of

_log = logging.getLogger("tollbook.switch")

# Fewer subscribed events is faster, and these give every row.
EVENTS = "CHANNEL_CREATE CHANNEL_ANSWER CHANNEL_HANGUP_COMPLETE HEARTBEAT"
# Heartbeats come every 20 s; three missing are a dead connection.
HEARTBEAT_LIMIT_S = 60.0


class Switch:
    """Keeps one switch connected and hands what it says of its legs to `put`."""

    def __init__(self, address: EslAddress, decoder: Decoder, put: Callable[[Leg], None], counts: Counts) -> None:
        self.address = address
        self._decoder = decoder
        self._put = put
        self._counts = counts
        self._socket: EventSocket | None = None
        self._stopping = False

    def connect(self) -> None:
        """Connect and subscribe once; raises SwitchRefused or SwitchUnavailable."""
        connection = EventSocket(self.address, self._on_event)
        connection.connect()
        reply = connection.send(f"event {self.address.format} {EVENTS}")
        if not reply.startswith("+OK"):
            connection.stop()
            raise SwitchUnavailable(f"{self.address} refuses the subscription: {reply}")
        self._socket = connection
        self._counts.connections += 1
        event(_log, logging.INFO, "listening", switch=self.address)

    def run(self) -> None:
        """Stay connected until stopped."""
        backoff, failures = Backoff(), 0
        while not self._stopping:
            try:
                if self._socket is None:
                    self.connect()
                failures = 0
                self._until_closed()
            except (SwitchUnavailable, SwitchRefused) as error:
                if self._stopping:
                    return
                wait_s = backoff.wait_s(failures)
                failures += 1
                event(_log, logging.ERROR, str(error), next_try_s=round(wait_s, 1))
                gevent.sleep(wait_s)

    def stop(self) -> None:
        """Close the connection; all that was read has been handed on when this returns."""
        self._stopping = True
        if self._socket is not None:
            self._socket.leave()

    def _until_closed(self) -> None:
        connection, self._socket = self._socket, None
        if connection is None:
            return
        self._socket = connection
        try:
            raise connection.wait_closed()
        finally:
            self._counts.frames_refused += connection.frames_refused
            self._socket = None

    def _on_event(self, frame: Frame) -> None:
        heard = self._decoder.decode(frame.type, frame.body)
        if heard.name == "HEARTBEAT":
            if self._socket is not None:
                self._socket.silence_limit_s = HEARTBEAT_LIMIT_S
            return
        self._counts.events += 1
        leg = leg_of(heard, heard.switchname or str(self.address))
        if leg is None:
            self._counts.events_without_leg += 1
        else:
            self._put(leg)
