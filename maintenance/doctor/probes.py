"""What `tollbook doctor` measures: the database, the switches, the disk and the archive, each with bounded waits."""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from maintenance.doctor import rules
from maintenance.doctor.run import Finding, Group, attempt, fail, ok, warn
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import EslAddress, Settings
from tollbook.errors import ProtocolError, SettingsError, TollbookError
from tollbook.esl import EslClient
from tollbook.store import health, row_security
from tollbook.store.database import SCHEMA_REVISION, Connection, check_schema

SWITCH_TIMEOUT_S = 4.0
LOOK_BACK_DAYS = 3

_DAY_MS = 86_400_000
_EVENT_TIME = re.compile(rb"^Event-Date-Timestamp: ([0-9]{1,18})$", re.MULTILINE)
_DATABASE_REMEDY = "is it up, and TOLLBOOK_DATABASE_URL right? Nothing in it could be looked at"
_SCHEMA_REMEDY = "`tollbook db upgrade` brings an older schema to this version"
_QUERY_REMEDY = "see PostgreSQL's log; a table that is locked, or a server that is too busy, makes this pass"


def groups(settings: Settings) -> list[Group]:
    """Give all checks for these settings, in the order in which they are told."""
    return [
        Group(name="database", findings=lambda: _database(settings)),
        *(Group(name=f"switch {one}", findings=lambda one=one: _switch(one)) for one in settings.esl),
        Group(name="spool", findings=lambda: _disk(settings)),
        Group(name="archive", findings=lambda: [attempt("archive", lambda: _archive(settings), _ARCHIVE_REMEDY)]),
    ]


def settings_read(settings: Settings) -> Finding:
    """Tell what the settings name; without a switch nothing is recorded."""
    found = f"{len(settings.esl)} switches, data in {settings.data_dir}"
    if not settings.esl:
        return warn("settings", found, "set TOLLBOOK_ESL=esl://:PASSWORD@HOST:8021 where `tollbook listen` runs")
    return ok("settings", found)


def _database(settings: Settings) -> Iterator[Finding]:
    try:
        with health.looking(settings.require_database_url()) as connection:
            yield from _reached(connection, settings)
    except TollbookError as error:
        yield fail("database", str(error), _DATABASE_REMEDY)


def _reached(connection: Connection, settings: Settings) -> Iterator[Finding]:
    server = health.server(connection)
    yield rules.database(server)
    yield rules.clock(
        "database clock", server.ahead_s, server.give_or_take_s, "PostgreSQL's", "set up NTP (chrony) on both machines"
    )
    yield (schema := attempt("schema", lambda: _schema(connection), _SCHEMA_REMEDY))
    if schema.status:
        return  # what is not there would be told nine times
    today, now_ms = int(time.time()) // 86_400, int(time.time() * 1000)
    since_ms = now_ms - LOOK_BACK_DAYS * _DAY_MS
    looks = {
        "API role": lambda: _api_role(connection),
        "partitions": lambda: rules.partitions(health.days_ahead(connection, today)),
        **{
            f"heartbeat {one}": lambda one=one: rules.heartbeat(str(one), _silent_s(connection, str(one)))
            for one in settings.esl
        },
        **{
            f"sessions {one}": lambda one=one: rules.sessions(str(one), health.unheard(connection, str(one)))
            for one in settings.esl
        },
        "open calls": lambda: rules.open_calls(health.open_calls(connection, now_ms - _DAY_MS), now_ms),
        "unrated calls": lambda: rules.unrated(*health.unrated(connection, since_ms), LOOK_BACK_DAYS),
        "calls without account": lambda: rules.without_account(
            *health.without_account(connection, since_ms), LOOK_BACK_DAYS
        ),
        "outbox": lambda: rules.outbox(health.outbox(connection)),
    }
    for check, look in looks.items():
        yield attempt(check, look, _QUERY_REMEDY)


def _api_role(connection: Connection) -> Finding:
    try:
        row_security.check(connection)
    except SettingsError as error:
        return warn("API role", str(error), "until then `tollbook serve` refuses to start; calls are recorded")
    return ok("API role", f"{row_security.ROLE} sees one account at a time")


def _schema(connection: Connection) -> Finding:
    check_schema(connection)
    return ok("schema", f"revision {SCHEMA_REVISION}, as this version needs")


def _silent_s(connection: Connection, address: str) -> float | None:
    seen_us = health.last_seen_us(connection, address)
    return None if seen_us is None else time.time() - seen_us / 1_000_000


def _switch(address: EslAddress) -> Iterator[Finding]:
    name = f"switch {address}"
    try:
        with EslClient(address.host, address.port, timeout_s=SWITCH_TIMEOUT_S) as client:
            client.login(address.password.get_secret_value())
            yield rules.switch_status(name, client.api("version"), client.api("status"))
            yield attempt(
                f"{name} modules",
                lambda: rules.json_cdr(f"{name} modules", client.api("module_exists mod_json_cdr")),
                _SWITCH_REMEDY,
            )
            yield attempt(f"{name} clock", lambda: _switch_clock(f"{name} clock", client), _SWITCH_REMEDY)
    except TollbookError as error:
        yield fail(name, str(error), _SWITCH_REMEDY)


_SWITCH_REMEDY = (
    "is FreeSWITCH up, and TOLLBOOK_ESL right? Its event_socket.conf.xml names address, port, password and"
    " apply-inbound-acl"
)


def _switch_clock(check: str, client: EslClient) -> Finding:
    """Compare the clock that events are stamped with, by an event of our own; that clock is not the machine's."""
    if not client.command("event plain BACKGROUND_JOB").startswith("+OK"):
        raise ProtocolError("refuses the subscription")
    before = time.time()
    client.command("bgapi version")
    event = client.read_until("text/event-plain")
    after = time.time()
    stamp = _EVENT_TIME.search(event.body)
    if stamp is None:
        raise ProtocolError("sent an event without a time")
    return rules.clock(
        check,
        int(stamp[1]) / 1_000_000 - (before + after) / 2,
        (after - before) / 2,
        "the switch's",
        "set up NTP (chrony) on both machines, then `fs_cli -x 'fsctl sync_clock_when_idle'`",
    )


# The names that esl_listener gives its folders and files in the data directory.
_SPOOLS, _SEGMENT = re.compile(r"spool(-[0-9])?"), re.compile(r"[0-9]{16}\.spool")
_DEAD_LETTERS, _KEPT = "dead-letters", re.compile(r"leg-.*\.json|damaged-.*\.bin")
_DISK_REMEDY = "run this as the user that runs `tollbook listen`, with its settings"


def _disk(settings: Settings) -> Iterator[Finding]:
    folder, most = settings.data_dir, settings.spool_max
    yield attempt("spool", lambda: rules.spool(_spools(folder), most), _DISK_REMEDY)
    yield attempt("dead letters", lambda: rules.dead_letters(len(_sizes(folder / _DEAD_LETTERS, _KEPT))), _DISK_REMEDY)


def _spools(folder: Path) -> list[int]:
    """Give the bytes that wait in each spool: listeners that share a data directory have one each."""
    return [sum(_sizes(one, _SEGMENT)) for one in _entries(folder, _SPOOLS)]


def _sizes(folder: Path, names: re.Pattern[str]) -> list[int]:
    sizes: list[int] = []
    for path in _entries(folder, names):
        with suppress(FileNotFoundError):  # a listener has just replayed it
            sizes.append(path.stat().st_size)
    return sizes


def _entries(folder: Path, names: re.Pattern[str]) -> list[Path]:
    """List what a folder holds of such names, none when there is no such folder; raises OSError (glob does not)."""
    try:
        return [path for path in folder.iterdir() if names.fullmatch(path.name)]
    except FileNotFoundError:
        return []


_ARCHIVE_REMEDY = "nothing is lost: rows wait in the outbox until `tollbook archive run` can write them"


def _archive(settings: Settings) -> Finding:
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        snapshot = table.current_snapshot() if table is not None else None
        age_s = time.time() - snapshot.timestamp_ms / 1000 if snapshot is not None else None
        return rules.archive(age_s, table=table is not None)
