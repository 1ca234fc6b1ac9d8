"""The listener process: wires switches, inbox, spool and writer, and ends them in order at a signal."""

import gc
import logging
import signal
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import gevent
from gevent.event import Event
from prometheus_client import CollectorRegistry

from esl_listener.agents import AgentInbox
from esl_listener.decoder import Decoder
from esl_listener.gap_recovery import GapRecovery
from esl_listener.inbox import Inbox
from esl_listener.liveness import Liveness
from esl_listener.metrics import Metrics, MetricsCollector, State, SwitchState
from esl_listener.open_legs import OpenLegReader
from esl_listener.spool import open_own_spool
from esl_listener.spooler import Spooler
from esl_listener.sum_rollup import SumRollup
from esl_listener.switch import SwitchListener
from esl_listener.tariff_cache import TariffCache
from esl_listener.worker_report import REPORT_EVERY_S, report
from esl_listener.writer import TIME_LIMITS, Writer
from tollbook.config import Settings
from tollbook.errors import SettingsError, StoreUnavailable, SwitchRefused
from tollbook.log import Outage, log_line
from tollbook.metrics import serve_metrics
from tollbook.setting_values import EslAddress
from tollbook.spool_files import dead_letter_folder
from tollbook.systemd import notify, watchdog_interval_s

_log = logging.getLogger("tollbook.listen")

Task: TypeAlias = "gevent.Greenlet[[], None]"

# A switch answers within milliseconds, also with a refusal. One that hangs holds up nobody: the others are read and
# written already, and after this time systemd is told that we are ready.
START_TIMEOUT_S = 3.0
# Objects that may refer to each other, made and not freed, after which the collector looks for such rings. Events make
# none, and the usual 700 are made by a few dozen of them: looking that often took 4 % of a busy listener's time.
COLLECT_AFTER: Final = 50_000
# A failure a moment after the last success is the same outage.
_SETTLE_S: Final = 1.0
# At a stop PostgreSQL has this long to take what is left; the rest goes to the spool.
DRAIN_TIMEOUT_S = 20.0
# Then the writer and the switches have this long to end, and the disk to take the rest.
_END_TIMEOUT_S = 5.0
_DISK_TIMEOUT_S = 30.0


def listen(settings: Settings, share: Sequence[EslAddress] | None = None) -> None:
    """Listen until SIGTERM or SIGINT, then write what was heard and return.

    `share`: the switches of a worker (`esl_listener.workers`). It reports to the process that started it, and when none
    of them can be reached at the start it goes on trying, because those of another worker may be.

    Raises our errors when a setting, the database or every switch fails at the start, and StoreUnavailable when at the
    end neither the database nor the disk took what was heard. In between nothing raises: failures are tried again.
    """
    # Its warnings are of what it ignores after an error that it raises: a pipeline that broke with its connection.
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    _make_data_dir(settings)
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    metrics, inbox, agents, liveness = Metrics(), Inbox(), AgentInbox(), Liveness()
    spool = open_own_spool(settings.data_dir, settings.spool_max)
    dead_letters = dead_letter_folder(settings.data_dir)
    outage = Outage(_log, settle_s=_SETTLE_S)
    spooler = Spooler(inbox, spool, metrics, dead_letters, outage)
    database_url = settings.require_database_url()
    tariff_cache = TariffCache(database_url, settings.trunk_rules, metrics, outage)
    writer = Writer(database_url, inbox, spooler, liveness, tariff_cache, metrics, settings.data_dir, outage, agents)
    recovery = GapRecovery(settings.cdr_dir, metrics) if settings.cdr_dir else None
    decoder = Decoder(
        settings.account_variable, settings.parent_variable, settings.direction_variable, settings.variables
    )
    open_legs = OpenLegReader(database_url, TIME_LIMITS)
    switches = [
        SwitchListener(
            address,
            decoder,
            inbox,
            open_legs,
            recovery.ask if recovery else lambda: None,
            liveness,
            metrics,
            outage,
            agents,
        )
        for address in share or settings.require_esl()
    ]
    stop = Event()
    _handle_signals(stop)

    def state() -> State:
        return State(
            legs=len(inbox),
            spool_bytes=spooler.bytes,
            spool_max_bytes=settings.spool_max,
            spool_full=bool(spooler.problem),
            database_silent_s=writer.silent_s,
            switches=[
                SwitchState(address=str(switch.address), is_connected=switch.is_connected, lag_s=switch.lag_s)
                for switch in switches
            ],
        )

    if share is None:
        _serve_metrics(settings, metrics, state)
    # The database first, or what is heard would be lost with a process that cannot start. Not the tariffs, though: a
    # million rates take seconds to load.
    _prepare(writer, spooler, outage)
    tasks: list[Task] = [gevent.spawn(writer.run), gevent.spawn(spooler.run, lambda: writer.away)]
    writing, spooling = tasks
    tasks += [gevent.spawn(SumRollup(database_url, metrics, outage).run)]
    tasks += [gevent.spawn(switch.run) for switch in switches]
    if recovery:
        tasks += [gevent.spawn(recovery.run)]
    _wait_for_first_tries(switches, may_all_fail=share is not None)
    alive = (lambda: "WATCHDOG=1") if share is None else (lambda: report(metrics, state()))
    notify(f"READY=1\nSTATUS=listening to {len(switches)} switches\n{alive()}")
    while not stop.wait(watchdog_interval_s() if share is None else REPORT_EVERY_S):
        if any(task.dead for task in tasks):
            break  # a bug: end with its traceback, and let systemd start us again
        notify(alive())
    notify("STOPPING=1")
    leaving: list[Task] = [gevent.spawn(switch.stop) for switch in switches]
    gevent.joinall(leaving)
    _end_writing(writer, writing)
    spooler.stop()
    spooling.join(_DISK_TIMEOUT_S)
    gevent.killall(tasks, timeout=_END_TIMEOUT_S)
    for task in tasks:
        if task.exception is not None:
            raise task.exception
    _report_end(inbox, spooler, metrics)


def _make_data_dir(settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"TOLLBOOK_DATA_DIR={settings.data_dir} cannot be made: {error.strerror}") from error


def _prepare(writer: Writer, spooler: Spooler, outage: Outage) -> None:
    """Connect to the database. It must be there, unless a spool shows that the last listener stopped in an outage."""
    if spooler.waiting:
        outage.fail(logging.WARNING, "the last listener left legs on disk", spool_bytes=spooler.bytes)
    try:
        writer.prepare()
    except StoreUnavailable as error:
        if not spooler.waiting:
            raise
        outage.fail(logging.ERROR, f"starting while PostgreSQL is away: {error}")


def _end_writing(writer: Writer, writing: Task) -> None:
    """Let the writer write what is left, while PostgreSQL takes it."""
    writer.stop()
    deadline_s = time.monotonic() + DRAIN_TIMEOUT_S
    while not writing.dead and not writer.away and time.monotonic() < deadline_s:
        writing.join(0.05)
    writer.cut()
    writing.join(_END_TIMEOUT_S)
    writing.kill(timeout=_END_TIMEOUT_S)  # it may be connecting, which `cut` does not end


def _report_end(inbox: Inbox, spooler: Spooler, metrics: Metrics) -> None:
    if inbox:
        reason = f"PostgreSQL is away, and nothing can be spooled: {spooler.problem}"
        raise StoreUnavailable(f"stopped with {len(inbox)} legs unwritten: {reason}")
    if spooler.bytes:
        message = "stopped, what PostgreSQL did not take waits on disk for the next start"
        log_line(_log, logging.WARNING, message, events=metrics.events, spool_bytes=spooler.bytes)
    else:
        log_line(_log, logging.INFO, "stopped, everything written", events=metrics.events, rows=metrics.rows_written)


def _handle_signals(stop: Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stop.set)
    # By default it ends the process at once, without the spool. Nothing is reopened: the log is standard error, and
    # settings are read at a start.
    gevent.signal_handler(
        signal.SIGHUP, log_line, _log, logging.WARNING, "SIGHUP ignored: settings are read at a start, so restart"
    )


def _wait_for_first_tries(switches: Sequence[SwitchListener], *, may_all_fail: bool) -> None:
    """Wait until each switch has been tried once, or START_TIMEOUT_S are over; raise if all failed and must not.

    One that is down, hangs or refuses us is tried again later.
    """
    gevent.wait([switch.tried for switch in switches], timeout=START_TIMEOUT_S)
    failures = [error for switch in switches if switch.tried.ready() and (error := switch.tried.value)]
    if len(failures) == len(switches) and not may_all_fail:
        # A refusal first: it means that a setting is wrong, which no restart mends.
        raise min(failures, key=lambda error: not isinstance(error, SwitchRefused))


def _serve_metrics(settings: Settings, metrics: Metrics, state: Callable[[], State]) -> None:
    registry = CollectorRegistry()
    registry.register(MetricsCollector(lambda: metrics, state, settings.data_dir))
    serve_metrics(registry, settings.metrics_bind, "TOLLBOOK_METRICS_BIND")
