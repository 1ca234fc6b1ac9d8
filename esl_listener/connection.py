"""One connection to a switch: greenswitch's InboundESL with its reader, parser and waits replaced.

greenswitch 0.0.19 decodes an event before it splits the lines (a caller's `%0A` forges headers), loses what it
had queued at a disconnect, spins for ever at an EOF inside a body, and waits without a bound in connect and send.
Its connection and command sides, on gevent, are what we keep.
"""

import contextlib
import errno
import socket as blocking_socket
from collections.abc import Callable
from typing import Any

import gevent
import gevent.socket
from gevent.event import AsyncResult
from greenswitch.esl import InboundESL

from esl_listener.framing import Frame, Framer
from tollbook.config import EslAddress
from tollbook.errors import FrameRefused, SwitchRefused, SwitchUnavailable

CONNECT_TIMEOUT_S = 10.0
REPLY_TIMEOUT_S = 30.0
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
        self.silence_limit_s: float | None = None
        self._on_event = on_event
        self._framer = Framer()
        self._failure: Exception | None = None
        self._rejected = False

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
        if "\n" in data:
            raise ValueError("a command is one line")
        if not self.connected:
            raise SwitchUnavailable(f"{self.address} is not connected")
        answer: AsyncResult[str] = AsyncResult()
        self._commands_sent.append(answer)
        self.sock.settimeout(REPLY_TIMEOUT_S)
        try:
            self.sock.sendall(f"{data}\n\n".encode())
            return answer.get(timeout=REPLY_TIMEOUT_S) or ""
        except gevent.Timeout as timeout:
            self._close()
            raise SwitchUnavailable(f"{self.address} did not answer within {REPLY_TIMEOUT_S:.0f} s") from timeout
        except OSError as error:
            self._close()
            raise SwitchUnavailable(f"{self.address}: {_reason(error)}") from error

    def receive_events(self) -> None:
        """Read until the connection ends. Everything that was read has been handed on by then."""
        try:
            while self.connected:
                # wait_read goes through the hub's poll, where the database's socket is looked at too. A plain
                # recv of a busy switch would always find data and never let go.
                gevent.socket.wait_read(
                    self.sock.fileno(), timeout=self.silence_limit_s, timeout_exc=TimeoutError("timed out")
                )
                data = self.sock.recv(CHUNK_BYTES)
                if not data:
                    raise SwitchUnavailable(f"{self.address} closed the connection")
                for frame in self._framer.feed(data):
                    self._take(frame)
        except TimeoutError:
            self._failure = SwitchUnavailable(
                f"{self.address}: no heartbeat for {self.silence_limit_s:.0f} s, the connection is dead"
            )
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
        """End the session in order: the switch answers `exit` behind all events it had for us, so none is lost."""
        with contextlib.suppress(SwitchUnavailable):
            self.send("exit")
        self.stop()

    def stop(self) -> None:
        """Close the connection and wait until the reader has handed on what it had read."""
        self._close()
        if self._receive_events_greenlet is not None and self._receive_events_greenlet is not gevent.getcurrent():
            self._receive_events_greenlet.join(timeout=REPLY_TIMEOUT_S)

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
