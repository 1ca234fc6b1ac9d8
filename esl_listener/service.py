"""Wiring: settings become switches, an inbox and a writer; signals end them in order."""

import logging
import os
import signal
from pathlib import Path
from typing import TypeAlias

import gevent
import sdnotify
from gevent.event import Event
from prometheus_client import CollectorRegistry, start_http_server

from esl_listener.counts import Counts, CountsCollector
from esl_listener.decode import Decoder
from esl_listener.inbox import Inbox
from esl_listener.signs import Signs
from esl_listener.switch import Switch
from esl_listener.writer import Writer
from tollbook.config import Settings
from tollbook.errors import SettingsError, StoreUnavailable, SwitchRefused, SwitchUnavailable
from tollbook.log import event

_log = logging.getLogger("tollbook.listen")

Task: TypeAlias = "gevent.Greenlet[[], None]"

# How long a stop may wait for PostgreSQL to take what is left.
DRAIN_TIMEOUT_S = 60.0


def listen(settings: Settings) -> None:
    """Listen until SIGTERM or SIGINT, then write what was heard and return.

    Raises at start, and only there, when a setting, the database or every switch fails.
    """
    counts, inbox, signs = Counts(), Inbox(), Signs()
    writer = Writer(settings.require_database_url(), inbox, signs, settings.peers, counts, _set_aside_file(settings))
    decoder = Decoder(settings.account_variable, settings.parent_variable)
    switches = [Switch(address, decoder, inbox.put, writer.held, signs, counts) for address in settings.require_esl()]
    writer.prepare()
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stop.set)
    _serve_metrics(settings, counts, inbox)
    _connect_first(switches)
    notifier = sdnotify.SystemdNotifier()
    tasks: list[Task] = [gevent.spawn(task) for task in (writer.run, *(switch.run for switch in switches))]
    notifier.notify(f"READY=1\nSTATUS=listening to {len(switches)} switches")
    while not stop.wait(_watchdog_s()):
        if any(task.dead for task in tasks):
            break  # a bug: end with its traceback, and let systemd start us again
        notifier.notify("WATCHDOG=1")
    notifier.notify("STOPPING=1")
    for switch in switches:
        switch.stop()
    writer.stop()
    gevent.joinall(tasks, timeout=DRAIN_TIMEOUT_S)
    for task in tasks:
        if task.dead and task.exception is not None:
            raise task.exception
    if len(inbox) or not tasks[0].dead:
        raise StoreUnavailable(f"stopped with {len(inbox)} legs unwritten: PostgreSQL did not take them")
    event(_log, logging.INFO, "stopped, everything written", events=counts.events, rows=counts.rows_written)


def _set_aside_file(settings: Settings) -> Path:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"TOLLBOOK_DATA_DIR={settings.data_dir} cannot be made: {error.strerror}") from error
    return settings.data_dir / "set-aside.jsonl"


def _connect_first(switches: list[Switch]) -> None:
    """Connect every switch once. A refusal ends the start; one switch that is down does not stop the others."""
    failures: list[SwitchUnavailable] = []
    refusals: list[SwitchRefused] = []

    def attempt(switch: Switch) -> None:
        try:
            switch.connect()
        except SwitchUnavailable as error:
            failures.append(error)
        except SwitchRefused as error:
            refusals.append(error)

    attempts: list[gevent.Greenlet[[Switch], None]] = [gevent.spawn(attempt, switch) for switch in switches]
    gevent.joinall(attempts, raise_error=True)
    if refusals:
        raise refusals[0]
    if len(failures) == len(switches):
        raise failures[0]


def _serve_metrics(settings: Settings, counts: Counts, inbox: Inbox) -> None:
    if settings.metrics_bind is None:
        return
    registry = CollectorRegistry()
    registry.register(CountsCollector(counts, lambda: len(inbox)))
    try:
        start_http_server(settings.metrics_bind.port, settings.metrics_bind.host, registry=registry)
    except OSError as error:
        raise SettingsError(f"TOLLBOOK_METRICS_BIND={settings.metrics_bind}: {error.strerror}") from error


def _watchdog_s() -> float:
    """Half of what systemd's WatchdogSec allows; a beat every 5 s without one."""
    usec = os.environ.get("WATCHDOG_USEC", "")
    return int(usec) / 2_000_000 if usec.isdigit() else 5.0
