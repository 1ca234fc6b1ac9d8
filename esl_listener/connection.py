"""One connection to a switch: greenswitch's InboundESL with its reader, parser and waits replaced.

greenswitch 0.0.19 decodes an event before it splits the lines (a caller's `%0A` forges headers), loses what it
had queued at a disconnect, spins for ever at an EOF inside a body, and waits without a bound in connect and send.
Its connection and command sides, on gevent, are what we keep.
"""

import contextlib
import errno
import socket as blocking_socket
import time
from collections.abc import Callable
from typing import Any

import gevent
import gevent.socket
from gevent.event import AsyncResult
from greenswitch.esl import InboundESL

from tollbook.config import EslAddress
from tollbook.errors import FrameRefused, SwitchRefused, SwitchUnavailable
from tollbook.esl.framing import Frame, Framer

CONNECT_TIMEOUT_S = 10.0
REPLY_TIMEOUT_S = 30.0
# A goodbye waits behind 100,000 events at the worst, and while they come it is worth waiting for. A switch that says
# nothing at all has hung: the rows of the others must not wait for it.
LEAVE_TIMEOUT_S = 10.0
LEAVE_SILENCE_S = 2.0
# For what was read to find room in a full inbox, when the connection ends.
HAND_ON_TIMEOUT_S = 5.0
# After our own process has stood still (SIGSTOP, a paused machine) the time is over and data waits, both at once.
_SECOND_GLANCE_S = 0.1
# One chunk a turn: long enough to keep the switch's queue empty, short enough (1 ms) that sixteen switches and the
# database share one thread fairly.
CHUNK_BYTES = 256 * 1024

_EVENT_TYPE = b"text/event-"


class EventSocket(InboundESL):
    """Connects, authenticates, sends commands, and hands every event frame to `on_event` as it is read.

    `on_event` must be quick and must not wait: FreeSWITCH's other clients stand still while we do not read.
    """

    def __init__(self, address: EslAddress, on_event: Callable[[Frame], None]) -> None:
        super().__init__(address.host, address.port, address.password.get_secret_value(), CONNECT_TIMEOUT_S)
        self.address = address
        self.sock: Any = None
        self.silence_limit_s: float | None = None
        self._on_event = on_event
        self._framer = Framer()
        self._failure: Exception | None = None
        self._rejected = False
        self._read_s = 0.0

    @property
    def frames_refused(self) -> int:
        """Count the frames that were too large or unreadable."""
        return self._framer.refused

    def connect(self) -> None:
        """Connect and authenticate. Raises SwitchUnavailable (try later) or SwitchRefused (a setting is wrong)."""
        try:
            self.sock = gevent.socket.create_connection((self.host, self.port), timeout=CONNECT_TIMEOUT_S)
        except OSError as error:
            raise SwitchUnavailable(f"{self.address}: {_reason(error)}") from error
        _keep_alive(self.sock)
        self.connected = True
        self._receive_events_greenlet = gevent.spawn(self.receive_events)
        if not self._auth_request_event.wait(CONNECT_TIMEOUT_S):
            self.stop()
            raise SwitchUnavailable(
                f"{self.address} accepted the connection and said nothing for {CONNECT_TIMEOUT_S:.0f} s:"
                " is this an Event Socket, and is FreeSWITCH up?"
            )
        if self._rejected:
            self.stop()
            raise SwitchRefused(
                f"{self.address} rejects our address: add it to apply-inbound-acl in event_socket.conf.xml"
            )
        self.authenticate()

    def authenticate(self) -> None:
        """Send the password; raises SwitchRefused when it is wrong."""
        reply = self.send(f"auth {self.password}")
        if not reply.startswith("+OK"):
            self.stop()
            raise SwitchRefused(
                f"{self.address} refuses the password: set it in TOLLBOOK_ESL as in event_socket.conf.xml"
            )

    def send(self, data: str) -> str:
        """Send a command and wait for its reply: Reply-Text, or the body of an api response.

        Raises SwitchUnavailable when the connection ends first or REPLY_TIMEOUT_S passes.
        """
        answer = self._ask(data, REPLY_TIMEOUT_S)
        try:
            return answer.get(timeout=REPLY_TIMEOUT_S) or ""
        except gevent.Timeout as timeout:
            self._close()
            raise SwitchUnavailable(f"{self.address} did not answer within {REPLY_TIMEOUT_S:.0f} s") from timeout

    def receive_events(self) -> None:
        """Read until the connection ends. Everything that was read has been handed on by then."""
        try:
            while self.connected:
                self._wait_for_data()
                data = self.sock.recv(CHUNK_BYTES)
                if not data:
                    raise SwitchUnavailable(f"{self.address} closed the connection")
                self._read_s = time.monotonic()
                for frame in self._framer.feed(data):
                    self._take(frame)
        except OSError as error:
            self._failure = SwitchUnavailable(f"{self.address}: {_reason(error)}")
        except SwitchUnavailable as error:
            self._failure = error
        finally:
            self._close()

    def wait_closed(self) -> Exception:
        """Wait until the connection has ended and tell why."""
        if self._receive_events_greenlet is not None:
            self._receive_events_greenlet.join()
        return self._failure or SwitchUnavailable(f"{self.address} closed the connection")

    def leave(self) -> None:
        """End the session in order: the switch answers `exit` behind all events it had for us, so none is lost.

        A switch that does not get to it in LEAVE_TIMEOUT_S, or says nothing for LEAVE_SILENCE_S, is left without.
        """
        with contextlib.suppress(SwitchUnavailable):
            goodbye = self._ask("exit", LEAVE_SILENCE_S)
            begun_s = time.monotonic()
            silent_s = left_s = LEAVE_SILENCE_S
            while not goodbye.ready() and min(silent_s, left_s) > 0:
                goodbye.wait(timeout=min(silent_s, left_s))
                now_s = time.monotonic()
                silent_s = LEAVE_SILENCE_S - (now_s - max(self._read_s, begun_s))
                left_s = LEAVE_TIMEOUT_S - (now_s - begun_s)
        self.stop()

    def stop(self) -> None:
        """Close the connection and wait until the reader has handed on what it had read."""
        self._close()
        if self._receive_events_greenlet is not None and self._receive_events_greenlet is not gevent.getcurrent():
            self._receive_events_greenlet.join(timeout=HAND_ON_TIMEOUT_S)

    def _ask(self, data: str, timeout_s: float) -> "AsyncResult[str]":
        """Send a command and give what its reply will be; raises SwitchUnavailable when it cannot be sent."""
        if "\n" in data:
            raise ValueError("a command is one line")
        if not self.connected:
            raise SwitchUnavailable(f"{self.address} is not connected")
        answer: AsyncResult[str] = AsyncResult()
        self._commands_sent.append(answer)
        self.sock.settimeout(timeout_s)
        try:
            self.sock.sendall(f"{data}\n\n".encode())
        except OSError as error:
            self._close()
            raise SwitchUnavailable(f"{self.address}: {_reason(error)}") from error
        return answer

    def _wait_for_data(self) -> None:
        # wait_read goes through the hub's poll, where the database's socket is looked at too. A plain recv of a busy
        # switch would always find data and never let go.
        over = TimeoutError("timed out")
        try:
            gevent.socket.wait_read(self.sock.fileno(), timeout=self.silence_limit_s, timeout_exc=over)
        except TimeoutError:
            try:
                gevent.socket.wait_read(self.sock.fileno(), timeout=_SECOND_GLANCE_S, timeout_exc=over)
            except TimeoutError:
                raise SwitchUnavailable(
                    f"{self.address}: no heartbeat for {self.silence_limit_s:.0f} s, the connection is dead"
                ) from None

    def _take(self, frame: Frame) -> None:
        if frame.type.startswith(_EVENT_TYPE):
            try:
                self._on_event(frame)
            except FrameRefused:
                self._framer.refuse()
        elif frame.type in (b"command/reply", b"api/response"):
            text = frame.body if frame.type == b"api/response" else frame.header(b"Reply-Text")
            if self._commands_sent:
                self._commands_sent.pop(0).set(text.decode("utf-8", "replace"))
        elif frame.type == b"auth/request":
            self._auth_request_event.set()
        elif frame.type == b"text/rude-rejection":
            self._rejected = True
            self._auth_request_event.set()
        elif frame.type == b"text/disconnect-notice" and frame.header(b"Content-Disposition") != b"linger":
            raise SwitchUnavailable(f"{self.address} ended the session")

    def _close(self) -> None:
        self.connected = False
        self._auth_request_event.set()
        gone = self._failure or SwitchUnavailable(f"{self.address} closed the connection")
        while self._commands_sent:
            self._commands_sent.pop(0).set_exception(gone)
        # shutdown first: close alone leaves a greenlet that waits in the hub for this socket waiting.
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.shutdown(blocking_socket.SHUT_RDWR)
            self.sock.close()


def _keep_alive(sock: Any) -> None:
    """Let the kernel notice a peer that vanished: after 30 s, then 3 probes 10 s apart."""
    sock.setsockopt(blocking_socket.SOL_SOCKET, blocking_socket.SO_KEEPALIVE, 1)
    sock.setsockopt(blocking_socket.IPPROTO_TCP, blocking_socket.TCP_KEEPIDLE, 30)
    sock.setsockopt(blocking_socket.IPPROTO_TCP, blocking_socket.TCP_KEEPINTVL, 10)
    sock.setsockopt(blocking_socket.IPPROTO_TCP, blocking_socket.TCP_KEEPCNT, 3)
    sock.setsockopt(blocking_socket.IPPROTO_TCP, blocking_socket.TCP_NODELAY, 1)


def _reason(error: OSError) -> str:
    if error.errno == errno.ECONNREFUSED:
        return "connection refused: is FreeSWITCH up, and does mod_event_socket listen there?"
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT_TIMEOUT_S:.0f} s: is the host right, and does a firewall let us through?"
    return error.strerror or str(error)
