"""The commands of one Event Socket connection and their answers. Bytes in, bytes out: no socket."""

import uuid
from typing import Protocol

from tollbook.errors import DataError
from tollbook.simulator.subscription import Subscription

AUTH_REQUEST = b"Content-Type: auth/request\n\n"
GOODBYE = (
    b"Content-Type: text/disconnect-notice\nContent-Length: 67\n\n"
    b"Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
)

# A command has a few lines. Whatever sends more without a blank line is not an Event Socket client.
_MAX_COMMAND_BYTES = 65_536


class Host(Protocol):
    """What a session needs from its switch."""

    password: bytes

    def api(self, command: bytes) -> bytes:
        """Return what an api command prints."""
        ...

    def start_job(self, job_uuid: bytes, command: bytes) -> None:
        """Run an api command, and send what it prints as a BACKGROUND_JOB event after the reply."""
        ...


class Session:
    """One client's conversation. `closing` once it is over: the connection ends when all replies have been sent."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._pending = b""
        self._skip = 0
        self._authenticated = False
        self.subscription = Subscription()
        self.closing = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes from the client; return the replies to the commands that are complete now, in order.

        Raises DataError when a command does not end.
        """
        self._pending += data.replace(b"\r", b"")
        replies: list[bytes] = []
        while not self.closing:
            command = self._next_command()
            if command is None:
                break
            replies.append(self._answer(command))
        return replies

    def _next_command(self) -> bytes | None:
        skipped = min(self._skip, len(self._pending))
        self._skip -= skipped
        self._pending = self._pending[skipped:].lstrip(b"\n")
        command, blank, rest = self._pending.partition(b"\n\n")
        if not blank:
            if len(self._pending) > _MAX_COMMAND_BYTES:
                raise DataError("a command without a blank line after it")
            return None
        self._pending = rest
        # The body of a command (sendevent) is ignored, and must not be taken for commands.
        self._skip = int(_header(command, b"content-length") or 0)
        return command

    def _answer(self, command: bytes) -> bytes:
        line = command.partition(b"\n")[0].strip()
        name, _, argument = line.partition(b" ")
        name = name.lower()
        if name == b"exit":
            self.closing = True
            return _reply(b"+OK bye") + GOODBYE
        if name == b"auth":
            return self._authenticate(argument)
        if not self._authenticated:
            return _reply(b"-ERR command not found")
        return self._execute(name, argument.strip(), command)

    def _authenticate(self, password: bytes) -> bytes:
        if password == self._host.password:
            self._authenticated = True
            return _reply(b"+OK accepted")
        self.closing = True
        return _reply(b"-ERR invalid") + GOODBYE

    def _execute(self, name: bytes, argument: bytes, command: bytes) -> bytes:
        match name:
            case b"event":
                if not self.subscription.add(argument.split()):
                    return _reply(b"-ERR no keywords supplied")
                return _reply(b"+OK event listener enabled " + (b"json" if self.subscription.as_json else b"plain"))
            case b"nixevent":
                named = self.subscription.remove(argument.split())
                return _reply(b"+OK events nixed" if named else b"-ERR no keywords supplied")
            case b"noevents":
                was = self.subscription.clear()
                return _reply(b"+OK no longer listening for events" if was else b"-ERR not listening for events")
            case b"filter":
                return _reply(self._filter(argument))
            case b"api":
                printed = self._host.api(argument)
                return b"Content-Type: api/response\nContent-Length: %d\n\n%s" % (len(printed), printed)
            case b"bgapi":
                job = _header(command, b"job-uuid") or str(uuid.uuid4()).encode()
                self._host.start_job(job, argument)
                return b"Content-Type: command/reply\nReply-Text: +OK Job-UUID: %s\nJob-UUID: %s\n\n" % (
                    job,
                    job,
                )
            case _:
                return _reply(b"-ERR command not found")

    def _filter(self, argument: bytes) -> bytes:
        filters = self.subscription.filters
        name, _, value = argument.partition(b" ")
        if name.lower() == b"delete" and value:
            name, _, value = value.strip().partition(b" ")
            if name.lower() == b"all":
                filters.clear()
            else:
                filters[:] = [(had, wanted) for had, wanted in filters if had != name or value not in (b"", wanted)]
            return b"+OK filter deleted. [%s]=[%s]" % (name, value)
        if not value:
            return b"-ERR invalid syntax"
        filters.append((name, value))
        return b"+OK filter added. [%s]=[%s]" % (name, value)


def _reply(text: bytes) -> bytes:
    return b"Content-Type: command/reply\nReply-Text: %s\n\n" % text


def _header(command: bytes, wanted: bytes) -> bytes | None:
    for line in command.split(b"\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == wanted:
            return value.strip()
    return None
