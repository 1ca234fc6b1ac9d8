"""The network between listener and switch fails in every way a proxy can: no call is lost, and no other switch waits.

A switch that is restarted with calls up is in test_channels.py.
"""

import contextlib
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.heartbeats import wait_for_heartbeats
from tests.acceptance.metrics import Metrics
from tests.acceptance.played import CALLS, Calls, found
from tests.commands import Start
from tests.waiting import wait_until
from tollbook.simulator.freshen import CallTemplate
from tollbook.simulator.recording import load
from tollbook.simulator.thread import SwitchThread

# With CDR files, and without two whose dialled number contains another call's id: `FreshCall.rows` does not change it.
NAMES = sorted({path.parent.name for path in CALLS.glob("*/json_cdr")} - {"eavesdrop", "pickup"})
RECORDINGS = [load(CALLS / name) for name in NAMES[::3]]


class Proxy:
    """A bad network between the listener and a switch."""

    def __init__(self, switch: SwitchThread) -> None:
        self._switch = switch
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._open = threading.Event()
        self._open.set()
        self._cut = threading.Event()
        self.delay_s = 0.0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        host, port = self._listening.getsockname()
        return f"esl://:{self._switch.password}@{host}:{port}"

    def stall(self) -> None:
        """Forward nothing in either direction; connections stay open, and new ones are accepted."""
        self._open.clear()

    def go_on(self) -> None:
        self._open.set()

    def cut(self) -> None:
        """Forward half of the next chunk that the switch sends, and end every connection."""
        self._cut.set()
        wait_until(lambda: not self._cut.is_set(), 10, every_s=0.005, what=lambda: "to be sent something to cut")

    def half_close(self, *, towards_listener: bool) -> None:
        """End one direction of every connection; the other stays open."""
        for listener, switch in self._pairs:
            with contextlib.suppress(OSError):
                (listener if towards_listener else switch).shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._open.set()
        self._listening.close()
        for pair in self._pairs:
            _end(*pair)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                listener, _ = self._listening.accept()
                switch = socket.create_connection(self._switch.address)
                self._pairs.append((listener, switch))
                for source, sink in ((listener, switch), (switch, listener)):
                    threading.Thread(target=self._pump, args=(source, sink, source is switch), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, from_switch: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(16 * 1024):
                time.sleep(self.delay_s)
                self._open.wait()
                # An event is larger than this: half of the chunk ends inside a frame.
                if from_switch and len(data) > 4096 and self._cut.is_set():
                    sink.sendall(data[: len(data) // 2])
                    for pair in self._pairs:
                        _end(*pair)
                    self._cut.clear()
                sink.sendall(data)
        _end(source, sink)


def _end(*pair: socket.socket) -> None:
    for end in pair:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@pytest.fixture
def through() -> Iterator[Callable[[SwitchThread], Proxy]]:
    """Make proxies, and close them at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda switch: stack.enter_context(contextlib.closing(Proxy(switch)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder that the switch's mod_json_cdr writes to."""
    made = tmp_path / "json_cdr"
    made.mkdir()
    return made


def recovered(start: Start, folder: Path) -> None:
    """Recover from the switch's own files what the listener did not hear."""
    recover = start("recover", str(folder))
    assert recover.process.wait(60) == 0, recover.output


def connections(listener: Any) -> int:
    return len(re.findall(r"\blistening\b", listener.output))


def wait_until_something_is_heard(metrics: Metrics) -> None:
    """Wait until the listener has read a few more events, so that a connection is not cut before it was of use."""
    before = metrics["events_total"]
    metrics.wait_until("events_total", lambda events: events > before + 20)


def test_cut_in_the_middle_of_frames_and_half_closed(
    start: Start, database_url: str, folder: Path, through: Any, metrics: Metrics
) -> None:
    """Cut five times inside a frame, and closed in each direction alone: the listener reconnects each time."""
    with SwitchThread(json_cdr_dir=folder, heartbeat_s=0.5) as switch:
        proxy, calls = through(switch), Calls(switch, RECORDINGS)
        listener = start("listen", esl=proxy.url, metrics_bind=metrics.bind)
        switch.wait_for_subscriber(20)
        playing: list[Future[int]] = []
        for _ in range(5):
            playing.append(calls.play(100, calls_per_s=100, speed=20))
            wait_until_something_is_heard(metrics)
            proxy.cut()
            wait_until(lambda: switch.connection_count == 0)
            switch.wait_for_subscriber(20)
        for towards_listener in (True, False):
            playing.append(calls.play(100, calls_per_s=100, speed=20))
            wait_until_something_is_heard(metrics)
            before = connections(listener)
            proxy.half_close(towards_listener=towards_listener)
            wait_until(lambda before=before: connections(listener) > before)
        for play in playing:
            play.result(30)
        assert found(database_url) != calls.rows, "nothing went unheard"
        recovered(start, folder)
        listener.end()
    assert listener.output.count("closed the connection") + listener.output.count("reset by peer") >= 5
    assert found(database_url) == calls.rows


def test_a_network_that_swallows_everything(start: Start, database_url: str, folder: Path, through: Any) -> None:
    """After three silent heartbeats the connection is dead, and the listener reconnects as soon as it can."""
    with SwitchThread(json_cdr_dir=folder, heartbeat_s=0.5) as switch:
        proxy, calls = through(switch), Calls(switch, RECORDINGS)
        listener = start("listen", esl=proxy.url)
        switch.wait_for_subscriber(20)
        calls.play(100, calls_per_s=250).result(30)
        wait_for_heartbeats(database_url, 2)  # now the listener knows how often they come
        proxy.stall()
        playing = calls.play(200, calls_per_s=250)
        listener.wait_for("no heartbeat for 3 s, the connection is dead", timeout_s=8)
        playing.result(30)
        proxy.go_on()
        wait_until(lambda: connections(listener) >= 2)
        calls.play(100, calls_per_s=250).result(30)
        assert len(found(database_url)) < len(calls.rows), "nothing went unheard"
        recovered(start, folder)
        listener.end()
    assert found(database_url) == calls.rows


def test_a_listener_that_stands_still(start: Start, database_url: str, folder: Path) -> None:
    """Stopped until the switch's full queue drops events, then cuts. What was heard and what was not fit together."""
    with SwitchThread(json_cdr_dir=folder, heartbeat_s=0.5, max_queued=200) as switch:
        calls = Calls(switch, RECORDINGS)
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(20)
        calls.play(50, calls_per_s=200).result(30)
        wait_for_heartbeats(database_url, 2)  # from now on 3 s of silence mean a dead connection
        stopped = time.monotonic()
        listener.process.send_signal(signal.SIGSTOP)
        try:
            playing = calls.play(500, calls_per_s=500)
            wait_until(lambda: switch.connection_count == 0)
            playing.result(30)
            # The silence is what is tested: it has to be longer than those 3 s.
            time.sleep(max(0.0, stopped + 3.3 - time.monotonic()))
        finally:
            listener.process.send_signal(signal.SIGCONT)
        wait_until(lambda: connections(listener) >= 2)
        calls.play(50, calls_per_s=200).result(30)
        assert len(found(database_url)) < len(calls.rows), "nothing went unheard"
        recovered(start, folder)
        listener.end()
    assert "no heartbeat" not in listener.output, "what waited to be read was thrown away"
    assert found(database_url) == calls.rows


def test_one_switch_s_trouble_is_not_another_s(start: Start, database_url: str, through: Any) -> None:
    """One switch's network is slow, then stalls: the other's rows come at once, and the listener stops promptly."""
    with SwitchThread() as well, SwitchThread(switch_name="fs-far") as far:
        proxy, calls, far_calls = through(far), Calls(well, RECORDINGS), Calls(far, RECORDINGS)
        listener = start("listen", esl=f"{well.url},{proxy.url}")
        well.wait_for_subscriber(20)
        far.wait_for_subscriber(20)
        proxy.delay_s = 0.02
        playing = far_calls.play(150, calls_per_s=100)
        calls.play(100, calls_per_s=100).result(30)
        proxy.stall()
        calls.play(200, calls_per_s=200).result(30)
        wait_until(lambda: {**(rows := found(database_url)), **calls.rows} == rows, timeout_s=3)
        assert found(database_url) != {**calls.rows, **far_calls.rows}
        proxy.delay_s = 0.0
        proxy.go_on()
        playing.result(30)
        wait_until(lambda: found(database_url) == {**calls.rows, **far_calls.rows})
        # The listener does not wait for a goodbye that is not answered.
        proxy.stall()
        begun = time.monotonic()
        listener.end()
        assert time.monotonic() - begun < 5
    assert connections(listener) == 2


def test_sessions_that_nobody_heard_of_are_looked_for(start: Start, database_url: str, metrics: Metrics) -> None:
    """A CREATE that never came shows in the next heartbeats; the call is found while it is up."""
    recording = load(CALLS / "outbound_answered")
    end = next(index for index, event in enumerate(recording.events) if event.name == b"CHANNEL_HANGUP_COMPLETE")
    with SwitchThread(heartbeat_s=0.3) as switch:
        calls = Calls(switch, RECORDINGS)
        listener = start("listen", esl=switch.url, metrics_bind=metrics.bind)
        switch.wait_for_subscriber(20)
        # Past the comparisons at the start: the second one follows the first heartbeat, on a connection of its own.
        wait_for_heartbeats(database_url, 2)
        wait_until(lambda: switch.connection_count == 1)
        call = CallTemplate(recording).fresh(time.time_ns() // 1000, core_uuid=switch.core_uuid)
        calls.note(call)
        switch.happen(call, range(end))
        listener.wait_for("the switch counts sessions whose events never arrived: comparing channels")
        wait_until(lambda: found(database_url).keys() == calls.rows.keys())
        assert metrics["sessions_unheard_total"] == 2
        switch.emit(call, range(end, len(call.events)))
        wait_until(lambda: found(database_url) == calls.rows)
        listener.end()
    assert listener.output.count("comparing channels") == 1
