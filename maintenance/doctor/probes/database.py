"""PostgreSQL, and what its tables say of calls, switches and timers."""

import time
from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo

from psycopg import sql

from maintenance.doctor.commands import as_administrator
from maintenance.doctor.finding import Finding, fail, ok, warn
from maintenance.doctor.rules import archive, calls, switch
from maintenance.doctor.rules import database as rules
from maintenance.doctor.rules.events import events_out
from maintenance.doctor.rules.timers import TIMERS, recover_command, timer
from maintenance.doctor.run import attempt
from tollbook.config import Settings
from tollbook.errors import SchemaBehind, SettingsError, TollbookError
from tollbook.statements.period import OVERDUE_DAYS, last_month
from tollbook.statements.unbilled import count_month, unbilled_command
from tollbook.store import health, row_security, task_runs
from tollbook.store.calls.doubts import count_doubts
from tollbook.store.database import SCHEMA_REVISION, Connection, check_schema
from tollbook.store.events.health import read_events_out
from tollbook.store.history import look
from tollbook.store.statements.issued import accounts_without
from tollbook.times import MS_PER_DAY

LOOK_BACK_DAYS = 3
_DOUBTS_SHOWN = 3

QUERY_REMEDY = "see PostgreSQL's log; a table that is locked, or a server that is too busy, makes this pass"

_DATABASE_REMEDY = "until it answers, nothing in it can be checked; calls that are heard wait in the spool"


def check_database(settings: Settings) -> Iterator[Finding]:
    """Yield all that is found in the database, or why nothing is."""
    try:
        with health.looking(settings.require_database_url()) as connection:
            yield from _check_connected(connection, settings)
    except TollbookError as error:
        commands = ("systemctl status postgresql --no-pager", "journalctl -u 'postgresql*' -n 50 --no-pager")
        yield fail("database", str(error), _DATABASE_REMEDY, *commands)


def _check_connected(connection: Connection, settings: Settings) -> Iterator[Finding]:
    server = health.server(connection)
    yield rules.database(server)
    yield rules.clock("database clock", server.ahead_s, server.give_or_take_s, "PostgreSQL's")
    schema_remedy = "bring an older schema to this version: docs/upgrade.md says what that takes"
    yield (schema := attempt("schema", lambda: _schema(connection), schema_remedy, "tollbook db upgrade"))
    if schema.status:
        return  # every check below would fail for the same reason
    for check, make in _checks(connection, settings).items():
        yield attempt(check, make, QUERY_REMEDY)


def _checks(connection: Connection, settings: Settings) -> dict[str, Callable[[], Finding]]:
    url, now_ms = settings.require_database_url(), int(time.time() * 1000)
    today, since_ms = now_ms // MS_PER_DAY, now_ms - LOOK_BACK_DAYS * MS_PER_DAY
    folder = None if settings.cdr_dir is None else str(settings.cdr_dir)
    recover = recover_command(folder)
    addresses = [str(address) for address in settings.esl]

    def administer(statement: str) -> str:
        return as_administrator(url, statement)

    return {
        "history": lambda: archive.history(look(connection, settings.data_dir)),
        "pooler": lambda: rules.pooler(health.pooler(connection), administer),
        "API role": lambda: _api_role(connection, administer),
        "partitions": lambda: rules.partitions(health.days_ahead(connection, today)),
        "locks": lambda: rules.locks(health.lock_table(connection), settings.kept_leg_days, administer),
        **{
            f"heartbeat {address}": lambda address=address: switch.heartbeat(address, _silent_s(connection, address))
            for address in addresses
        },
        **{
            f"sessions {address}": lambda address=address: switch.sessions(
                address, health.unheard(connection, address), recover
            )
            for address in addresses
        },
        "open calls": lambda: calls.open_calls(health.open_calls(connection, now_ms - MS_PER_DAY), now_ms, recover),
        "estimated ends": lambda: calls.estimated(*health.estimated(connection, since_ms), LOOK_BACK_DAYS, recover),
        "unrated calls": lambda: calls.unrated(*health.unrated(connection, since_ms), LOOK_BACK_DAYS),
        "calls without account": lambda: calls.without_account(
            *health.without_account(connection, since_ms), LOOK_BACK_DAYS
        ),
        "calls in doubt": lambda: calls.doubts(count_doubts(connection, since_ms, limit=_DOUBTS_SHOWN), LOOK_BACK_DAYS),
        "statements": lambda: _statements(connection, settings, now_ms),
        "unbilled calls": lambda: _unbilled(connection, settings, now_ms),
        "outbox": lambda: archive.outbox(
            *health.waiting_for_archive(connection), abandoned=health.abandoned_batches(connection)
        ),
        "events out": lambda: events_out(read_events_out(connection)),
        **_timers(connection, now_ms / 1000, folder),
    }


def _timers(connection: Connection, now_s: float, folder: str | None) -> dict[str, Callable[[], Finding]]:
    """Return a check for each task that a timer starts."""

    def check(task: str) -> Finding:
        (judged,) = (known for known in TIMERS if known.task == task)
        run = next((run for run in task_runs.read_all(connection) if run.task == task), None)
        oldest_ms = health.oldest_call(connection)
        expected_s = 0.0 if oldest_ms is None else now_s - oldest_ms / 1000
        return timer(judged, run, now_s, expected_s, folder)

    return {f"timer {known.task}": lambda task=known.task: check(task) for known in TIMERS}


def _schema(connection: Connection) -> Finding:
    check_schema(connection)
    return ok("schema", f"revision {SCHEMA_REVISION}, as this version needs")


def _api_role(connection: Connection, administer: Callable[[str], str]) -> Finding:
    remedy = "until then `tollbook serve` refuses to start; calls are recorded"
    try:
        row_security.check(connection)
    except SchemaBehind as error:
        return warn("API role", str(error), remedy, "tollbook db upgrade")
    except SettingsError as error:
        name = sql.Identifier(connection.info.user).as_string(connection)
        grant = f"GRANT {row_security.ROLE} TO {name}"
        create = administer(f"CREATE ROLE {row_security.ROLE} NOLOGIN")  # fails harmlessly where there is one
        return warn("API role", str(error), remedy, create, administer(grant), "tollbook db upgrade")
    return ok("API role", f"{row_security.ROLE} sees one account at a time")


def _statements(connection: Connection, settings: Settings, now_ms: int) -> Finding:
    month = last_month(now_ms - OVERDUE_DAYS * MS_PER_DAY, ZoneInfo(settings.statement_zone))
    return archive.statements(*accounts_without(connection, month), month)


def _unbilled(connection: Connection, settings: Settings, now_ms: int) -> Finding:
    month = last_month(now_ms, ZoneInfo(settings.statement_zone))
    return archive.unbilled(count_month(connection, settings, month), month, unbilled_command(month))


def _silent_s(connection: Connection, address: str) -> float | None:
    seen_us = health.last_seen_us(connection, address)
    return None if seen_us is None else time.time() - seen_us / 1_000_000
