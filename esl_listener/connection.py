"""One connection to a switch: greenswitch's InboundESL with its reader, parser and waits replaced.

greenswitch 0.0.19 decodes an event before it splits the lines (a caller's `%0A` forges headers), loses its queue at a
disconnect, spins for ever at an EOF inside a body, and waits without a bound in connect and send. What we keep is how
it connects and sends commands, on gevent.
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

from esl_listener.pace import Rate, pause_s
from tollbook.errors import FrameRefused, SwitchRefused, SwitchUnavailable
from tollbook.esl.framing import Frame, Framer
from tollbook.setting_values import EslAddress

CONNECT_TIMEOUT_S = 10.0
REPLY_TIMEOUT_S = 30.0
# The answer to `exit` comes after all queued events, at most 100,000. It is worth waiting for while they come; a switch
# that sends nothing at all has hung, and the rows of the other switches must not wait for it.
LEAVE_TIMEOUT_S = 10.0
LEAVE_SILENCE_S = 2.0
# When the connection ends, so long may the events that were read wait for room in a full inbox.
FINISH_TIMEOUT_S = 5.0
# When our own process has stood still (SIGSTOP, a paused machine), the timeout is over and data waits, both at once. So
# the socket is checked a second time before the connection is given up.
_SECOND_CHECK_S = 0.1
# One chunk a turn: large enough to keep the switch's queue empty, short enough (1 ms) that sixteen switches and the
# database share one thread fairly.
CHUNK_BYTES = 256 * 1024

_EVENT_TYPE = b"text/event-"
_REJECTION = b"text/rude-rejection"
_GREETINGS = (b"auth/request", _REJECTION)


class EventSocket(InboundESL):
    """Connects, authenticates, sends commands, and calls `on_event` with each event frame as it is read.

    `on_read` is called after the last event of each chunk. Both must be quick and must not wait: while we do not read,
    FreeSWITCH holds up its other clients too.
    """

    def __init__(self, address: EslAddress, on_event: Callable[[Frame], None], on_read: Callable[[], None]) -> None:
        super().__init__(address.host, address.port, address.password.get_secret_value(), CONNECT_TIMEOUT_S)
        self.address = address
        self.sock: Any = None
        self.silence_limit_s: float | None = None
        self._on_event = on_event
        self._on_read = on_read
        self._framer = Framer()
        self._failure: Exception | None = None
        self._rejected = False
        self._heard = False  # whether the last chunk held events
        self._read_s = 0.0
        self._rate = Rate()

    @property
    def frames_refused(self) -> int:
        """How many frames were too large or unreadable."""
        return self._framer.refused

    def connect(self) -> None:
        """Connect and authenticate. Raises SwitchUnavailable (try later), SwitchRefused (a setting is wrong)."""
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
        """Send the password. Raises SwitchRefused when it is wrong."""
        reply = self.send(f"auth {self.password}")
        if not reply.startswith("+OK"):
            self.stop()
            raise SwitchRefused(
                f"{self.address} refuses the password: set it in TOLLBOOK_ESL as in event_socket.conf.xml"
            )

    def send(self, data: str) -> str:
        """Send a command and return its reply: Reply-Text, or the body of an api response.

        Raises SwitchUnavailable when the connection ends first or REPLY_TIMEOUT_S passes.
        """
        answer = self._send(data, REPLY_TIMEOUT_S)
        try:
            return answer.get(timeout=REPLY_TIMEOUT_S) or ""
        except gevent.Timeout as timeout:
            self._close()
            raise SwitchUnavailable(f"{self.address} did not answer within {REPLY_TIMEOUT_S:.0f} s") from timeout

    def receive_events(self) -> None:
        """Read until the connection ends. By then `on_event` has had everything that was read."""
        # One piece of memory for all reads: a new one each time would cost three times the copying, in page faults.
        chunk = memoryview(bytearray(CHUNK_BYTES))
        try:
            while self.connected:
                self._wait_for_data()
                size = self.sock.recv_into(chunk)
                if not size:
                    raise SwitchUnavailable(f"{self.address} closed the connection")
                last_s, self._read_s = self._read_s, time.monotonic()
                self._rate.add(size, self._read_s - last_s)
                try:
                    for frame in self._framer.feed(chunk[:size]):
                        self._take(frame)
                finally:
                    heard, self._heard = self._heard, False
                    if heard:
                        self._on_read()
                # Never `sleep(0)`: it turns to other greenlets without polling the database's socket.
                if heard and (wait_s := pause_s(size, self._rate.per_s)):
                    gevent.sleep(wait_s)
        except OSError as error:
            self._failure = SwitchUnavailable(f"{self.address}: {_reason(error)}")
        except SwitchUnavailable as error:
            self._failure = error
        finally:
            self._close()

    def wait_closed(self) -> Exception:
        """Wait until the connection has ended, and return why."""
        if self._receive_events_greenlet is not None:
            self._receive_events_greenlet.join()
        return self._failure or SwitchUnavailable(f"{self.address} closed the connection")

    def leave(self) -> None:
        """Close the connection in order: the switch answers `exit` after all events that it had for us.

        If the answer takes longer than LEAVE_TIMEOUT_S, or nothing comes for LEAVE_SILENCE_S, close without it.
        """
        with contextlib.suppress(SwitchUnavailable):
            goodbye = self._send("exit", LEAVE_SILENCE_S)
            begun_s = time.monotonic()
            silent_s = left_s = LEAVE_SILENCE_S
            while not goodbye.ready() and min(silent_s, left_s) > 0:
                goodbye.wait(timeout=min(silent_s, left_s))
                now_s = time.monotonic()
                silent_s = LEAVE_SILENCE_S - (now_s - max(self._read_s, begun_s))
                left_s = LEAVE_TIMEOUT_S - (now_s - begun_s)
        self.stop()

    def stop(self) -> None:
        """Close the connection, and wait until `on_event` has had what was read."""
        self._close()
        if self._receive_events_greenlet is not None and self._receive_events_greenlet is not gevent.getcurrent():
            self._receive_events_greenlet.join(timeout=FINISH_TIMEOUT_S)

    def _send(self, data: str, timeout_s: float) -> "AsyncResult[str]":
        """Send a command and return its future reply. Raises SwitchUnavailable when it cannot be sent."""
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
        # wait_read goes through the hub, which polls the database's socket too. A plain recv from a busy switch would
        # always find data and never yield to the hub.
        over = TimeoutError("timed out")
        try:
            gevent.socket.wait_read(self.sock.fileno(), timeout=self.silence_limit_s, timeout_exc=over)
        except TimeoutError:
            try:
                gevent.socket.wait_read(self.sock.fileno(), timeout=_SECOND_CHECK_S, timeout_exc=over)
            except TimeoutError:
                raise SwitchUnavailable(
                    f"{self.address}: no heartbeat for {self.silence_limit_s:.0f} s, the connection is dead"
                ) from None

    def _take(self, frame: Frame) -> None:
        if frame.type.startswith(_EVENT_TYPE):
            self._heard = True
            try:
                self._on_event(frame)
            except FrameRefused:
                self._framer.refuse()
        elif frame.type in (b"command/reply", b"api/response"):
            text = frame.body if frame.type == b"api/response" else frame.header(b"Reply-Text")
            if self._commands_sent:
                self._commands_sent.pop(0).set(text.decode("utf-8", "replace"))
            else:
                self._framer.refuse()  # nobody asked: a damaged head, whose length may cover the next event
        elif frame.type in _GREETINGS and not self._auth_request_event.is_set():
            self._rejected = frame.type == _REJECTION
            self._auth_request_event.set()
        elif frame.type == b"text/disconnect-notice":
            if frame.header(b"Content-Disposition") != b"linger":
                raise SwitchUnavailable(f"{self.address} ended the session")
        else:
            self._framer.refuse()  # a second greeting, or no type of FreeSWITCH's: damaged, too

    def _close(self) -> None:
        self.connected = False
        self._auth_request_event.set()
        gone = self._failure or SwitchUnavailable(f"{self.address} closed the connection")
        while self._commands_sent:
            self._commands_sent.pop(0).set_exception(gone)
        # shutdown first: after close alone, a greenlet that waits in the hub for this socket would wait on.
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.shutdown(blocking_socket.SHUT_RDWR)
            self.sock.close()


def _keep_alive(sock: Any) -> None:
    """Let the kernel notice a peer that has vanished: 30 s of silence, then 3 probes 10 s apart."""
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
