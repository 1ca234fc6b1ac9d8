"""What `tollbook doctor` measures: the database, the switches, the disk and the archive. Every wait is bounded."""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from maintenance.doctor import rules
from maintenance.doctor.finding import Finding, fail, ok, warn
from maintenance.doctor.run import CheckGroup, attempt
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import EslAddress, Settings
from tollbook.errors import ProtocolError, SettingsError, TollbookError
from tollbook.esl.client import EslClient
from tollbook.esl.framing import EVENT_PLAIN
from tollbook.spool_files import dead_letter_folder, dead_letter_paths, segments, spool_folders
from tollbook.store import health, row_security
from tollbook.store.database import SCHEMA_REVISION, Connection, check_schema
from tollbook.times import MS_PER_DAY

SWITCH_TIMEOUT_S = 4.0
LOOK_BACK_DAYS = 3

_EVENT_TIME = re.compile(rb"^Event-Date-Timestamp: ([0-9]{1,18})$", re.MULTILINE)

_DATABASE_REMEDY = "until it answers, nothing in it can be checked"
_SCHEMA_REMEDY = "`tollbook db upgrade` brings an older schema to this version"
_QUERY_REMEDY = "see PostgreSQL's log; a table that is locked, or a server that is too busy, makes this pass"
_SWITCH_REMEDY = (
    "is FreeSWITCH up, and TOLLBOOK_ESL right? Its event_socket.conf.xml names address, port, password and"
    " apply-inbound-acl"
)
_DISK_REMEDY = "run this as the user that runs `tollbook listen`, with its settings"
_ARCHIVE_REMEDY = "nothing is lost: rows wait in the outbox until `tollbook archive run` can write them"


def groups_for(settings: Settings) -> list[CheckGroup]:
    """Return all checks for these settings, in the order in which they are reported."""
    return [
        CheckGroup(name="database", findings=lambda: _check_database(settings)),
        *(
            CheckGroup(name=f"switch {address}", findings=lambda address=address: _check_switch(address))
            for address in settings.esl
        ),
        CheckGroup(name="spool", findings=lambda: _check_disk(settings)),
        CheckGroup(name="archive", findings=lambda: [attempt("archive", lambda: _archive(settings), _ARCHIVE_REMEDY)]),
    ]


def check_settings(settings: Settings) -> Finding:
    """Report what the settings name; without a switch nothing is recorded."""
    found = f"{len(settings.esl)} switches, data in {settings.data_dir}"
    if not settings.esl:
        return warn("settings", found, "set TOLLBOOK_ESL=esl://:PASSWORD@HOST:8021 where `tollbook listen` runs")
    return ok("settings", found)


def _check_database(settings: Settings) -> Iterator[Finding]:
    try:
        with health.looking(settings.require_database_url()) as connection:
            yield from _check_connected(connection, settings)
    except TollbookError as error:
        yield fail("database", str(error), _DATABASE_REMEDY)


def _check_connected(connection: Connection, settings: Settings) -> Iterator[Finding]:
    server = health.server(connection)
    yield rules.database(server)
    yield rules.clock(
        "database clock", server.ahead_s, server.give_or_take_s, "PostgreSQL's", "set up NTP (chrony) on both machines"
    )
    yield (schema := attempt("schema", lambda: _schema(connection), _SCHEMA_REMEDY))
    if schema.status:
        return  # every check below would fail for the same reason
    now_ms = int(time.time() * 1000)
    today, since_ms = now_ms // MS_PER_DAY, now_ms - LOOK_BACK_DAYS * MS_PER_DAY
    addresses = [str(address) for address in settings.esl]
    checks = {
        "pooler": lambda: rules.pooler(health.pooler(connection)),
        "API role": lambda: _api_role(connection),
        "partitions": lambda: rules.partitions(health.days_ahead(connection, today)),
        "locks": lambda: rules.locks(health.lock_table(connection), settings.retention_days),
        **{
            f"heartbeat {address}": lambda address=address: rules.heartbeat(address, _silent_s(connection, address))
            for address in addresses
        },
        **{
            f"sessions {address}": lambda address=address: rules.sessions(address, health.unheard(connection, address))
            for address in addresses
        },
        "open calls": lambda: rules.open_calls(health.open_calls(connection, now_ms - MS_PER_DAY), now_ms),
        "unrated calls": lambda: rules.unrated(*health.unrated(connection, since_ms), LOOK_BACK_DAYS),
        "calls without account": lambda: rules.without_account(
            *health.without_account(connection, since_ms), LOOK_BACK_DAYS
        ),
        "outbox": lambda: rules.outbox(health.outbox(connection)),
    }
    for check, make in checks.items():
        yield attempt(check, make, _QUERY_REMEDY)


def _schema(connection: Connection) -> Finding:
    check_schema(connection)
    return ok("schema", f"revision {SCHEMA_REVISION}, as this version needs")


def _api_role(connection: Connection) -> Finding:
    try:
        row_security.check(connection)
    except SettingsError as error:
        return warn("API role", str(error), "until then `tollbook serve` refuses to start; calls are recorded")
    return ok("API role", f"{row_security.ROLE} sees one account at a time")


def _silent_s(connection: Connection, address: str) -> float | None:
    seen_us = health.last_seen_us(connection, address)
    return None if seen_us is None else time.time() - seen_us / 1_000_000


def _check_switch(address: EslAddress) -> Iterator[Finding]:
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


def _switch_clock(check: str, client: EslClient) -> Finding:
    """Check the clock that stamps the switch's events, by causing one; FreeSWITCH's clock is not its machine's."""
    if not client.command("event plain BACKGROUND_JOB").startswith("+OK"):
        raise ProtocolError("refuses the subscription")
    before = time.time()
    client.command("bgapi version")
    event = client.next_frame_of(EVENT_PLAIN)
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


def _check_disk(settings: Settings) -> Iterator[Finding]:
    data_dir, max_bytes = settings.data_dir, settings.spool_max
    yield attempt("spool", lambda: rules.spool(_spool_sizes(data_dir), max_bytes), _DISK_REMEDY)
    dead_letters = dead_letter_folder(data_dir)
    yield attempt("dead letters", lambda: rules.dead_letters(len(dead_letter_paths(dead_letters))), _DISK_REMEDY)


def _spool_sizes(data_dir: Path) -> list[int]:
    """Return the bytes in each spool: listeners that share a data directory have one each."""
    return [_spool_size(folder) for folder in spool_folders(data_dir)]


def _spool_size(folder: Path) -> int:
    size = 0
    for path in segments(folder):
        with suppress(FileNotFoundError):  # a listener has just replayed it
            size += path.stat().st_size
    return size


def _archive(settings: Settings) -> Finding:
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        snapshot = table.current_snapshot() if table is not None else None
        age_s = time.time() - snapshot.timestamp_ms / 1000 if snapshot is not None else None
        return rules.archive(age_s, table=table is not None)
