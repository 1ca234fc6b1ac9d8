"""A simulated switch in a background thread, driven by plain calls: for tests that block.

with SwitchThread() as switch:
    ...  # start what is tested, with the address `switch.url`
    switch.wait_for_subscriber()
    switch.play(load_all(["outbound_answered"]))
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TypeVar

from tollbook.simulator.event import Playable
from tollbook.simulator.event_queue import MAX_QUEUED
from tollbook.simulator.freshen import FreshCall
from tollbook.simulator.player import Player
from tollbook.simulator.recording import Recording
from tollbook.simulator.switch import HEARTBEAT_S, SimulatedSwitch

_CALL_TIMEOUT_S = 30.0

T = TypeVar("T")


class SwitchThread:
    """A context manager that runs a `SimulatedSwitch` on a loop of its own. Its methods may be called from any thread.

    Takes the parameters of `SimulatedSwitch`, and `port` (0: a free one).
    """

    def __init__(
        self,
        *,
        password: str = "ClueCon",  # noqa: S107 - FreeSWITCH's own default
        switch_name: str = "fs-lab",
        heartbeat_s: float = HEARTBEAT_S,
        max_queued: int = MAX_QUEUED,
        json_cdr_dir: Path | None = None,
        port: int = 0,
    ) -> None:
        self._port = port
        self._switch = SimulatedSwitch(
            password=password,
            switch_name=switch_name,
            heartbeat_s=heartbeat_s,
            max_queued=max_queued,
            json_cdr_dir=json_cdr_dir,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulated-switch", daemon=True)
        self.password = password
        self.address = ("127.0.0.1", 0)

    def __enter__(self) -> "SwitchThread":
        self._thread.start()
        try:
            self.address = self._do(self._switch.start(port=self._port))
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._do(self._close())
        finally:
            self._stop()

    @property
    def url(self) -> str:
        """The switch's address as a TOLLBOOK_ESL setting: esl://:PASSWORD@HOST:PORT."""
        return f"esl://:{self.password}@{self.address[0]}:{self.address[1]}"

    @property
    def events_sent(self) -> int:
        """How many events were played; heartbeats do not count."""
        return self._switch.events_sent

    @property
    def connection_count(self) -> int:
        """How many clients are connected."""
        return self._switch.connection_count

    @property
    def overflows(self) -> int:
        """How many connections were cut because their clients read too slowly."""
        return self._switch.overflows

    @property
    def core_uuid(self) -> str:
        """The Core-UUID of the switch's present process."""
        return self._switch.identity.core_uuid

    def play(
        self,
        recordings: Iterable[Recording],
        *,
        speed: float = 0.0,
        verbatim: bool = False,
        patient: bool = True,
        timeout_s: float = _CALL_TIMEOUT_S,
    ) -> int:
        """Play recordings to the end; return the number of events played."""
        player = Player(self._switch, recordings, verbatim=verbatim)
        return self._do(player.play(speed=speed, patient=patient), timeout_s)

    def start_playing(
        self,
        recordings: Iterable[Recording],
        *,
        speed: float = 1.0,
        verbatim: bool = False,
        on_begin: Callable[[FreshCall], None] | None = None,
    ) -> "Future[int]":
        """Begin to play recordings, and return at once: a future of the number of events played."""
        player = Player(self._switch, recordings, verbatim=verbatim, on_begin=on_begin)
        return asyncio.run_coroutine_threadsafe(player.play(speed=speed), self._loop)

    def start_playing_at_rate(
        self,
        recordings: Iterable[Recording],
        *,
        calls_per_s: float,
        count: int | None = None,
        speed: float = 1.0,
        on_begin: Callable[[FreshCall], None] | None = None,
        clock_us: Callable[[], int] | None = None,
    ) -> "Future[int]":
        """Begin to play `count` calls in turn (None: for ever), and return at once; `clock_us` as in `Player`."""
        player = Player(self._switch, recordings, on_begin=on_begin, clock_us=clock_us)
        playing = player.play_at_rate(calls_per_s=calls_per_s, count=count, speed=speed)
        return asyncio.run_coroutine_threadsafe(playing, self._loop)

    def start_playing_unpaced(
        self,
        recordings: Iterable[Recording],
        *,
        count: int,
        on_begin: Callable[[FreshCall], None] | None = None,
    ) -> "Future[int]":
        """Begin to play `count` calls at full speed, whether they are read or not, and return at once."""
        player = Player(self._switch, recordings, on_begin=on_begin)
        return asyncio.run_coroutine_threadsafe(player.play_unpaced(count=count, patient=False), self._loop)

    def play_at_rate(
        self,
        recordings: Iterable[Recording],
        *,
        calls_per_s: float,
        count: int,
        speed: float = 1.0,
        timeout_s: float = _CALL_TIMEOUT_S,
    ) -> int:
        """Play `count` calls that begin at a rate; return the number of events played."""
        player = Player(self._switch, recordings)
        return self._do(player.play_at_rate(calls_per_s=calls_per_s, count=count, speed=speed), timeout_s)

    def play_unpaced(
        self,
        recordings: Iterable[Recording],
        *,
        count: int,
        verbatim: bool = False,
        patient: bool = True,
        timeout_s: float = _CALL_TIMEOUT_S,
        on_begin: Callable[[FreshCall], None] | None = None,
    ) -> int:
        """Play `count` calls as fast as the clients read; return the number of events played."""
        player = Player(self._switch, recordings, verbatim=verbatim, on_begin=on_begin)
        return self._do(player.play_unpaced(count=count, patient=patient), timeout_s)

    def play_interleaved(
        self, recordings: Iterable[Recording], *, verbatim: bool = True, timeout_s: float = _CALL_TIMEOUT_S
    ) -> int:
        """Play one event of each recording in turn; return the number of events played."""
        return self._do(Player(self._switch, recordings, verbatim=verbatim).play_interleaved(), timeout_s)

    def emit(self, call: Recording | FreshCall, indexes: Iterable[int]) -> None:
        """Send only these events of a call, at once; those of a recording verbatim. For a call that stays up."""
        self._do(self._each(self._switch.emit, [call.events[index] for index in indexes]))

    def happen(self, call: Recording | FreshCall, indexes: Iterable[int]) -> None:
        """Make events of a call happen without sending them, as when a queue overflows."""
        self._do(self._each(self._switch.channels.note, [call.events[index] for index in indexes]))

    def make_zombie(self, unique_id: str) -> None:
        """Make a channel a zombie: gone without an end, still listed, denied when it is asked about."""
        self._loop.call_soon_threadsafe(self._switch.channels.make_zombie, unique_id.encode())

    def set_agent(self, agent: str, *, status: str | None = None, state: str | None = None) -> None:
        """Set an agent's status or state, or both; the events are sent."""
        self._do(self._call(partial(self._switch.set_agent, agent, status=status, state=state)))

    def add_agent(self, agent: str) -> None:
        """Add an agent, who is logged out; the event is sent."""
        self._do(self._call(partial(self._switch.add_agent, agent)))

    def remove_agent(self, agent: str) -> None:
        """Remove an agent, without an event."""
        self._do(self._call(partial(self._switch.agents.remove, agent)))

    def beat(self) -> None:
        """Send a heartbeat now."""
        self._loop.call_soon_threadsafe(self._switch.beat)

    def restart(self) -> None:
        """Crash the switch and start it again: no hangups, no channels, a new Core-UUID, connections cut."""
        self._do(self._call(self._switch.restart))

    def cut_connections(self) -> None:
        """Cut every connection; calls go on."""
        self._do(self._call(self._switch.cut_connections))

    def wait_for_subscriber(self, timeout_s: float = 10.0) -> None:
        """Wait until a client is subscribed to CHANNEL_CREATE; raise TimeoutError if none does in time."""
        self._do(self._switch.wait_for_subscriber(timeout_s), timeout_s + 1)

    def _do(self, work: "Coroutine[object, object, T]", timeout_s: float = _CALL_TIMEOUT_S) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout_s)
        except TimeoutError:
            future.cancel()
            raise

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CALL_TIMEOUT_S)
        self._loop.close()

    async def _close(self) -> None:
        await self._switch.close()
        # Plays that were begun and are not finished end with the switch.
        mine = asyncio.current_task()
        for task in asyncio.all_tasks():
            if task is not mine:
                task.cancel()
        await asyncio.sleep(0)

    async def _each(self, act: Callable[[Playable], None], events: Iterable[Playable]) -> None:
        for event in events:
            act(event)

    async def _call(self, act: Callable[[], None]) -> None:
        act()
        await asyncio.sleep(0)
