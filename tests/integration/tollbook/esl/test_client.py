"""A peer that is no Event Socket, or a slow one, gives the client one of our errors, in time."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tollbook.errors import ProtocolError, SwitchRefused, SwitchUnavailable, TollbookError
from tollbook.esl.client import EslClient

GREETING = b"Content-Type: auth/request\n\n"
ACCEPTED = GREETING + b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n"


@contextmanager
def saying(data: bytes, *, close: bool = True) -> Iterator[tuple[str, int]]:
    """Run a server that sends `data` to its first client, reads what comes, and closes or stays silent."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(data)
                if close:
                    connection.shutdown(socket.SHUT_WR)
                while connection.recv(4096):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[:2]
        thread.join(10)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"", SwitchUnavailable, "closed the connection"),
        (
            b"Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n",
            SwitchRefused,
            "address",
        ),
        (b"220 mail ready\n\n", ProtocolError, "does not speak"),
        (b"Content-Type: command/reply\n\n", ProtocolError, "does not greet"),
        (b"x" * 70_000, ProtocolError, "does not speak"),
        (b"Content-Type: api/response\nContent-Length: 99999999\n\n", ProtocolError, "does not speak"),
        (b"Content-Type: api/response\nContent-Length: -1\n\n", ProtocolError, "does not speak"),
        (b"a: b\n" * 101 + b"\n", ProtocolError, "does not speak"),
        (GREETING + b"Content-Type: command/reply\nReply-Text: -ERR invalid\n\n", SwitchRefused, "password"),
        (ACCEPTED + b"Content-Type: text/disconnect-notice\n\n", SwitchUnavailable, "ended the session"),
        (ACCEPTED + b"Content-Type: api/response\nContent-Length: 9\n\nhalf", SwitchUnavailable, "closed"),
    ],
)
def test_what_is_no_event_socket_is_an_error_that_says_so(
    data: bytes, error: type[TollbookError], message: str
) -> None:
    """Rejections, other protocols and unbounded frames raise one of our errors that says which it was."""

    def converse(host: str, port: int) -> None:
        with EslClient(host, port, timeout_s=5) as client:
            client.login("x")
            client.api("version")

    with saying(data) as address, pytest.raises(error, match=message):
        converse(*address)


def test_a_switch_that_dribbles_is_given_up_in_time() -> None:
    """The time limit is for the whole conversation, not for each read; events in between are skipped."""
    event = b"Content-Type: text/event-plain\nContent-Length: 2\n\nhi"
    with saying(ACCEPTED + event * 3, close=False) as (host, port):
        begun = time.monotonic()
        with EslClient(host, port, timeout_s=0.3) as client:
            client.login("x")
            with pytest.raises(SwitchUnavailable, match="did not answer within 0 s"):
                client.api("version")
        assert time.monotonic() - begun < 2
