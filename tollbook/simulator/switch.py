"""The simulated switch: an Event Socket server with channels and a heartbeat, on asyncio."""

import asyncio
import re
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from tollbook.errors import DataError
from tollbook.simulator import api, cdr_folder
from tollbook.simulator.agents import SUBCLASS, AgentTable
from tollbook.simulator.channels import ChannelTable
from tollbook.simulator.connection import ClientConnection
from tollbook.simulator.event import Header, Playable, RawEvent, SystemEvent
from tollbook.simulator.event_queue import MAX_QUEUED, EventQueue
from tollbook.simulator.identity import AGENT, JOB, Sessions, SwitchIdentity
from tollbook.simulator.recording import CdrFile

HEARTBEAT_S = 20.0

_SUBSCRIBED_TO = b"CHANNEL_CREATE"


class SimulatedSwitch:
    """A FreeSWITCH as an Event Socket client sees it. In tests that block, use a `SwitchThread`.

    `heartbeat_s`: seconds between heartbeats. `max_queued`: events kept for a slow client. `json_cdr_dir`: the folder
    for mod_json_cdr's files (None: none are written). Use it as an asynchronous context manager, or `start` and `close`
    it. Raises DataError for a switch name that would need encoding.
    """

    def __init__(
        self,
        *,
        password: str = "ClueCon",  # noqa: S107 - FreeSWITCH's own default
        switch_name: str = "fs-lab",
        heartbeat_s: float = HEARTBEAT_S,
        max_queued: int = MAX_QUEUED,
        json_cdr_dir: Path | None = None,
    ) -> None:
        if re.fullmatch(r"[\w.-]+", switch_name, re.ASCII) is None:
            raise DataError(f"{switch_name!r} is no name for a switch: letters, digits, dots and dashes")
        self.password = password.encode()
        self.switch_name = switch_name
        self.identity = SwitchIdentity.begin(switch_name, _now_us())
        self.channels = ChannelTable()
        self.agents = AgentTable()
        self.events_sent = 0
        self.restarts = 0
        self.overflows = 0
        self._heartbeat_s = heartbeat_s
        self._max_queued = max_queued
        self._json_cdr_dir = json_cdr_dir
        self._sequence = 0
        self._connections: set[ClientConnection] = set()
        self._subscribed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._heart: asyncio.Task[None] | None = None

    async def start(self, *, host: str = "127.0.0.1", port: int = 0) -> tuple[str, int]:
        """Listen, and return the address. Port 0 takes a free one."""
        self._server = await asyncio.get_running_loop().create_server(self._connect, host, port)
        self._heart = asyncio.create_task(self._beat())
        bound_host, bound_port = self._server.sockets[0].getsockname()[:2]
        return str(bound_host), int(bound_port)

    async def close(self) -> None:
        """Stop listening and cut all connections."""
        if self._heart is not None:
            self._heart.cancel()
            with suppress(asyncio.CancelledError):
                await self._heart
        if self._server is not None:
            self._server.close()
        self.cut_connections()
        await asyncio.sleep(0)  # aborted transports close their sockets in the next turn of the loop

    async def __aenter__(self) -> "SimulatedSwitch":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def connection_count(self) -> int:
        """Clients connected, authenticated or not."""
        return len(self._connections)

    @property
    def longest_queue(self) -> int:
        """How many events and replies wait for the slowest client."""
        return max((connection.queued for connection in self._connections), default=0)

    @property
    def writes_cdrs(self) -> bool:
        """Whether `emit` writes CDR files; making one costs as much as an event."""
        return self._json_cdr_dir is not None

    async def wait_for_subscriber(self, timeout_s: float) -> None:
        """Wait until a client is subscribed to CHANNEL_CREATE; raise TimeoutError if none does in time."""
        await asyncio.wait_for(self._subscribed.wait(), timeout_s)

    def emit(self, event: Playable, cdr: CdrFile | None = None) -> None:
        """Make an event happen: update the channels, send it to the clients that subscribed to it, write `cdr`.

        `events_sent` counts it whether or not anybody listens.
        """
        self._sequence += 1
        self.events_sent += 1
        self.channels.note(event)
        self.agents.note(event)
        for connection in list(self._connections):
            subscription = connection.session.subscription
            if subscription.wants(event):
                render = event.json_frame if subscription.as_json else event.plain_frame
                connection.send_event(partial(render, self._sequence))
        if cdr is not None and self._json_cdr_dir is not None:
            cdr_folder.write(self._json_cdr_dir, cdr)

    async def drain(self, timeout_s: float = 30.0) -> None:
        """Wait until nothing is queued for any client, or the time is over."""
        deadline = time.monotonic() + timeout_s
        while self.longest_queue and time.monotonic() < deadline:
            await asyncio.sleep(0.01)

    def restart(self) -> None:
        """Crash and come back: a new Core-UUID, no channels, no hangup events, every connection cut."""
        self.identity = SwitchIdentity.begin(self.switch_name, _now_us())
        self.restarts += 1
        self.channels.clear()
        self._sequence = 0
        self.cut_connections()

    def cut_connections(self) -> None:
        """Cut every connection without a disconnect notice; calls go on."""
        self._subscribed.clear()
        for connection in list(self._connections):
            connection.cut()

    def beat(self) -> None:
        """Send a HEARTBEAT now."""
        sessions = Sessions(now=len(self.channels), peak=self.channels.peak, since_startup=self.channels.since_startup)
        self._emit_own(self.identity.heartbeat(sessions, _now_us()))

    def api(self, command: bytes) -> bytes:
        """Return what an api command prints."""
        self._sequence += 1
        return api.answer(
            command,
            identity=self.identity,
            channels=self.channels,
            agents=self.agents,
            sequence=self._sequence,
            now_us=_now_us(),
        )

    def set_agent(self, agent: str, *, status: str | None = None, state: str | None = None) -> None:
        """Set an agent's status or state, or both, as `callcenter_config agent set` does; the events are sent."""
        if status is not None:
            self._emit_agent(self.agents.set_status(agent, status))
        if state is not None:
            self._emit_agent(self.agents.set_state(agent, state))

    def add_agent(self, agent: str) -> None:
        """Add an agent, who is logged out; the event is sent."""
        self._emit_agent(self.agents.add(agent))

    def _emit_agent(self, said: list[Header]) -> None:
        headers = ((b"Event-Subclass", SUBCLASS), *self.identity.headers(b"CUSTOM", AGENT, _now_us()), *said)
        self._emit_own(RawEvent(headers=headers))

    def start_job(self, job_uuid: bytes, command: bytes) -> None:
        """Run an api command in the loop's next turn, so that its BACKGROUND_JOB comes after the reply."""
        asyncio.get_running_loop().call_soon(self._run_job, job_uuid, command)

    def _run_job(self, job_uuid: bytes, command: bytes) -> None:
        name, _, argument = command.partition(b" ")
        headers = [
            *self.identity.headers(b"BACKGROUND_JOB", JOB, _now_us()),
            (b"Job-UUID", job_uuid),
            (b"Job-Command", name),
        ]
        if argument:
            headers.append((b"Job-Command-Arg", argument))
        self._emit_own(RawEvent(headers=tuple(headers), body=self.api(command)))

    def _emit_own(self, event: RawEvent) -> None:
        self.emit(SystemEvent(event=event))
        self.events_sent -= 1  # it counts only what was played

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_s)
            self.beat()

    def _connect(self) -> ClientConnection:
        return ClientConnection(
            self,
            queue=EventQueue(self._max_queued),
            opened=self._connections.add,
            closed=self._note_closed,
            changed=self._note_subscription,
            overflowed=self._note_overflow,
        )

    def _note_overflow(self) -> None:
        self.overflows += 1

    def _note_closed(self, connection: ClientConnection) -> None:
        self._connections.discard(connection)
        if not any(map(_is_subscriber, self._connections)):
            self._subscribed.clear()

    def _note_subscription(self, connection: ClientConnection) -> None:
        if _is_subscriber(connection):
            self._subscribed.set()


def _is_subscriber(connection: ClientConnection) -> bool:
    subscription = connection.session.subscription
    return subscription.listening and bool({_SUBSCRIBED_TO, b"ALL"} & subscription.names)


def _now_us() -> int:
    return time.time_ns() // 1000
