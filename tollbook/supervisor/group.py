"""The group: one loop that starts, hears, reaps and stops all children. All waits are bounded.

`tollbook run` is one, and so is `tollbook listen` with several workers.
"""

import logging
import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from tollbook.config import Settings
from tollbook.log import log_line
from tollbook.supervisor.child import Child
from tollbook.supervisor.notices import Notices
from tollbook.supervisor.service_runner import ServiceRunner
from tollbook.supervisor.table import DEFAULT_CDR_DIR, SERVICES, TIMER_STOP_S, Service, Timer, timers
from tollbook.supervisor.timer_runner import TimerRunner
from tollbook.systemd import notify, watchdog_interval_s

_log = logging.getLogger("tollbook.run")

# Nothing is due more exactly than this; signals and the children's lines end the wait at once.
_STEP_S: Final = 0.5
# After SIGKILL a process is gone, unless the kernel waits for a disk.
_KILL_S: Final = 5.0
_STAMPS: Final = "timers"


def run_group(settings: Settings) -> int:
    """Run everything until SIGTERM, SIGINT or SIGHUP, or until a service ends that no restart mends.

    Return the exit code: 0, or that of a service that failed.
    """
    stamps = settings.data_dir / _STAMPS
    with Notices() as notices:
        return Group(notices, SERVICES, timers(settings.cdr_dir or DEFAULT_CDR_DIR), stamps).run()


class Group:
    """Services and timers that are run until a signal, or until a service ends that no restart mends.

    `stamps`: the folder of the timers' files. `in_turn`: each service starts once the one before was tried. `status`:
    what systemd shows once all are ready. `heard` gets the name, the process and the message of a service that says
    something. `hang_up`: what SIGHUP does, if it does not end all.
    """

    def __init__(
        self,
        notices: Notices,
        services: Sequence[Service],
        timers: Sequence[Timer] = (),
        stamps: Path = Path(),
        *,
        in_turn: bool = True,
        status: str = "",
        heard: Callable[[str, int, str], None] | None = None,
        hang_up: Callable[[], None] | None = None,
    ) -> None:
        self._notices = notices
        self._environment = {name: value for name, value in os.environ.items() if name not in _OF_SYSTEMD}
        self._children: dict[int, Child] = {}
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        self.services = {service.name: ServiceRunner(service, self._start) for service in services}
        self._timers = [TimerRunner(timer, self._start, stamps) for timer in timers]
        self._ready_state = f"READY=1\nSTATUS={status}" if status else "READY=1"
        self._in_turn = in_turn
        self._heard = heard
        self._hang_up = hang_up
        self._told_ready = False
        self._beat_s = 0.0

    def run(self) -> int:
        """Supervise, then stop all in order; return 0 or a service's code. Once, in the main thread."""
        waker, wakened = socket.socketpair()
        with waker, wakened:
            for end in (waker, wakened):
                end.setblocking(False)
            self._selector.register(wakened, selectors.EVENT_READ, lambda: wakened.recv(4096))
            self._selector.register(self._notices, selectors.EVENT_READ, self._hear)
            signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # as nohup sets it
                    signal.signal(number, self._on_signal)
            signal.signal(signal.SIGCHLD, _wake)
            try:
                code = self._supervise()
            finally:
                stopped = self._stop()
            return code or stopped

    def _supervise(self) -> int:
        while not self._stopping:
            now_s = time.monotonic()
            for service in self.services.values():
                if (code := service.step(now_s)) is not None:
                    message = f"{service.service.name} cannot run, as it says above: no restart mends that, so all end"
                    log_line(_log, logging.ERROR, message, code=code)
                    return code
                if self._in_turn and not service.tried:
                    break  # the next one starts after it
            for timer in self._timers:
                timer.step()
            self._tell_systemd(now_s)
            self._wait(_STEP_S)
        return 0

    def _stop(self) -> int:
        """Ask all to end, timers first, and kill what does not end in its time; return an exit code."""
        notify("STOPPING=1")
        begun_s = time.monotonic()
        limits_s = {id(timer.child): TIMER_STOP_S for timer in self._timers}
        limits_s |= {id(service.child): service.service.stop_s for service in self.services.values()}
        named = [(timer.timer.name, timer.child) for timer in self._timers]
        named += [(service.service.name, service.child) for service in reversed(self.services.values())]
        running = [(name, child) for name, child in named if child is not None and child.code is None]
        for _, child in running:
            child.send(signal.SIGTERM)
        killed: list[str] = []
        while waiting := [(name, child) for name, child in running if child.code is None]:
            for name, child in waiting:
                over_s = time.monotonic() - begun_s - limits_s[id(child)]
                if over_s > _KILL_S:
                    return 1
                if over_s > 0 and name not in killed:
                    log_line(_log, logging.ERROR, f"{name} does not end, and is killed")
                    killed.append(name)
                    child.send(signal.SIGKILL)
            self._wait(_STEP_S)
        for _, child in running:
            child.close()
        codes = [service.child.code or 0 for service in self.services.values() if service.child is not None]
        log_line(_log, logging.INFO, "stopped", seconds=round(time.monotonic() - begun_s, 1))
        # One that was only beginning has no handler yet, and nothing to write: SIGTERM itself ends it.
        return max((0 if code == -signal.SIGTERM else 128 - code if code < 0 else code for code in codes), default=0)

    def _start(self, name: str, arguments: tuple[str, ...], settings: dict[str, str], nice: int) -> Child | None:
        # A timer's command has no WATCHDOG_USEC, and says nothing.
        environment = self._environment | settings | ({"NOTIFY_SOCKET": self._notices.address} if settings else {})
        try:
            child = Child(name, arguments, environment, nice=nice)
        except (OSError, subprocess.SubprocessError) as error:  # no memory, or too many processes: that passes
            log_line(_log, logging.ERROR, f"{name} cannot be started: {error}")
            return None
        self._children[child.pid] = child
        self._selector.register(child.pipe, selectors.EVENT_READ, lambda: self._copy(child))
        log_line(_log, logging.INFO, f"{name} started", pid=child.pid)
        return child

    def _copy(self, child: Child) -> None:
        if not child.copy_lines():
            self._selector.unregister(child.pipe)

    def _hear(self) -> None:
        for pid, states in self._notices.received():
            for name, service in self.services.items():
                if service.child is not None and service.child.pid == pid:
                    service.heard(states, time.monotonic())
                    if self._heard is not None:
                        self._heard(name, pid, states)

    def _wait(self, limit_s: float) -> None:
        for key, _ in self._selector.select(limit_s):
            key.data()
        self._reap()

    def _reap(self) -> None:
        """Wait for all that has ended, ours or not: as process 1 of a container we inherit every orphan in it."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if (child := self._children.get(pid)) is not None:
                child.ended(os.waitstatus_to_exitcode(status))
        self._forget(child for child in list(self._children.values()) if child.code is not None)

    def _forget(self, ended: Iterable[Child]) -> None:
        for child in ended:
            del self._children[child.pid]
            if child.pipe in self._selector.get_map():
                self._copy(child)
            if child.pipe in self._selector.get_map():
                self._selector.unregister(child.pipe)

    def _tell_systemd(self, now_s: float) -> None:
        """Where something above us supervises us in turn: that all services are ready, and that we live."""
        ready = all(service.ready for service in self.services.values())
        if now_s - self._beat_s < watchdog_interval_s() and ready <= self._told_ready:
            return
        self._beat_s, self._told_ready = now_s, ready
        notify(f"{self._ready_state}\nWATCHDOG=1" if ready else "WATCHDOG=1")

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del frame
        if number == signal.SIGHUP and self._hang_up is not None:
            self._hang_up()
        else:
            self._stopping = True


def _wake(number: int, frame: FrameType | None) -> None:
    """End the wait: any handler in Python does, by the descriptor that was set for it."""
    del number, frame


# Ours, not our children's: only what we are told ourselves is to be passed on.
_OF_SYSTEMD: Final = frozenset({"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
