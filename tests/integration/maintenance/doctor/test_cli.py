"""`tollbook doctor` on a real database and a simulated switch: the right line, what to do, the exit code."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString
from zoneinfo import ZoneInfo

import psycopg
import pytest

from tests.archiving import claim
from tests.commands import Done, Tollbook
from tests.databases import on_server, store
from tests.factories import call
from tollbook.simulator.thread import SwitchThread
from tollbook.statements.period import begin_of, last_month
from tollbook.store import health, task_runs
from tollbook.store.calls.switch_processes import SwitchProcess, note
from tollbook.store.database import Connection, connect
from tollbook.store.days.partitions import CALLS, LEGS, Partitions, make_ready, partition_name
from tollbook.times import MS_PER_DAY, current_day


@pytest.fixture(scope="module")
def switch() -> Iterator[SwitchThread]:
    with SwitchThread(password="a-secret") as running:
        yield running


@pytest.fixture
def esl(switch: SwitchThread, database_url: str) -> str:
    """A switch that was just heard, and a database with its partitions: all is well."""
    with connect(database_url, name="test", autocommit=True) as connection:
        make_ready(connection)
        heard(connection, switch, ago_s=1)
    return switch.url


def heard(connection: psycopg.Connection[Any], switch: SwitchThread, *, ago_s: float) -> None:
    host, port = switch.address
    seen_us = int((time.time() - ago_s) * 1_000_000)
    process = SwitchProcess(
        core=switch.core_uuid, address=f"{host}:{port}", switch="fs-lab", sequence=seen_us, seen_us=seen_us
    )
    note(connection, [process])


def execute(url: str, *commands: LiteralString) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for command in commands:
            connection.execute(command)


def examined(done: Done) -> tuple[int, dict[str, dict[str, str]]]:
    """The exit code, and the findings of `doctor --json` by check."""
    found = json.loads(done.stdout)
    assert {"OK": 0, "WARN": 1, "FAIL": 2}[found["status"]] == done.returncode
    assert "a-secret" not in done.stdout + done.stderr
    return done.returncode, {finding["check"]: finding for finding in found["findings"]}


def not_ok(findings: dict[str, dict[str, str]]) -> dict[str, str]:
    return {check: finding["status"] for check, finding in findings.items() if finding["status"] != "OK"}


def test_all_is_well(tollbook: Tollbook, switch: SwitchThread, esl: str) -> None:
    """Everything is looked at, each in one line, without colour for a file; the exit code is 0."""
    done = tollbook("doctor", esl=esl)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[-1] == f"{len(lines) - 1} OK, 0 WARN, 0 FAIL"
    address = f"127.0.0.1:{switch.address[1]}"
    for check in (
        "settings", "database", "database clock", "schema", "pooler", "partitions", "locks", f"heartbeat {address}",
        "open calls", "estimated ends", "unrated calls", "calls without account", "calls in doubt", "statements",
        "unbilled calls", "outbox", "events out", "timer archive", "timer compact", "timer prune", "timer recover",
        f"switch {address}", f"switch {address} modules", f"switch {address} clock",
        "spool", "dead letters", "archive", "archive files", "data directory", "API",
    ):  # fmt: skip
        assert any(line.startswith(f"OK    {check} ") for line in lines), check
    assert "\x1b" not in done.stdout
    assert "a-secret" not in done.stdout


def test_switches_that_do_not_answer(tollbook: Tollbook, switch: SwitchThread, esl: str) -> None:
    """A wrong password, a closed port and silence are distinguished; the other switch and the rest are checked."""
    with socket.socket() as closed, socket.socket() as silent:
        closed.bind(("127.0.0.1", 0))
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        refused, mute = (f"127.0.0.1:{server.getsockname()[1]}" for server in (closed, silent))
        wrong = f"localhost:{switch.address[1]}"
        code, found = examined(
            tollbook("doctor", "--json", esl=f"{esl},esl://:wrong@{wrong},esl://:a-secret@{refused},esl://:x@{mute}")
        )
    assert code == 2
    assert found[f"switch {wrong}"]["found"] == "refuses the password"
    assert found[f"switch {refused}"]["found"] == "connection refused"
    assert found[f"switch {mute}"]["found"] == "did not answer within 3 s"
    assert "TOLLBOOK_ESL" in found[f"switch {wrong}"]["remedy"]
    assert found[f"switch 127.0.0.1:{switch.address[1]}"]["status"] == "OK"
    assert set(not_ok(found)) == {
        f"{kind} {address}" for kind in ("switch", "heartbeat") for address in (wrong, refused, mute)
    }


def test_an_unmigrated_database(tollbook: Tollbook, postgres_url: str, switch: SwitchThread) -> None:
    execute(postgres_url, "CREATE DATABASE doctor_empty")
    url = on_server(postgres_url, "doctor_empty")
    code, found = examined(tollbook("doctor", "--json", esl=switch.url, database_url=url))
    assert code == 2
    assert not_ok(found) == {"schema": "FAIL"}
    assert "schema is none" in found["schema"]["found"]
    assert found["schema"]["commands"] == ["tollbook db upgrade"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "no database: set TOLLBOOK_DATABASE_URL"),
        ("postgresql://me:a-secret@127.0.0.1:1/tollbook", "Connection refused"),
    ],
)
def test_no_database(tollbook: Tollbook, switch: SwitchThread, url: str, message: str) -> None:
    """What needs no database is looked at all the same."""
    code, found = examined(tollbook("doctor", "--json", esl=switch.url, database_url=url))
    assert code == 2
    assert message in found["database"]["found"]
    assert not_ok(found) == {"database": "FAIL", "archive": "FAIL"}


def test_wrong_settings(tollbook: Tollbook) -> None:
    url = "postgresql://me:a-secret/x@127.0.0.1:5432/tollbook"
    code, found = examined(tollbook("doctor", "--json", esl="esl://a-secret@", retention_days="0", database_url=url))
    assert code == 2
    assert not_ok(found) == {"settings": "FAIL"}
    for name in ("TOLLBOOK_ESL: ", "TOLLBOOK_RETENTION_DAYS: ", "TOLLBOOK_DATABASE_URL: write postgresql://USER:"):
        assert name in found["settings"]["found"]


def test_nobody_listens_and_partitions_run_out(tollbook: Tollbook, switch: SwitchThread, database_url: str) -> None:
    """A heartbeat of three minutes ago, and tomorrow's the last partition."""
    today = current_day()
    with connect(database_url, name="test", autocommit=True) as connection:
        make_ready(connection)
        heard(connection, switch, ago_s=190)
        for kind in (CALLS, LEGS):
            connection.execute(f"DROP TABLE {partition_name(kind.table, today + 2)}".encode())
    code, found = examined(tollbook("doctor", "--json", esl=switch.url))
    assert code == 2
    heartbeat = f"heartbeat 127.0.0.1:{switch.address[1]}"
    assert not_ok(found) == {"partitions": "FAIL", heartbeat: "FAIL"}
    assert found["partitions"]["found"] == "ready for 1 days ahead"
    assert found[heartbeat]["found"] == "recorded 3 min ago"
    assert "tollbook listen" in found[heartbeat]["remedy"]
    assert found["partitions"]["commands"] == ["tollbook db upgrade"]  # systemd's commands only where it is in charge


def test_what_piles_up_is_a_warning(tollbook: Tollbook, database_url: str, esl: str, tmp_path: Path) -> None:
    """Zombies, calls without a price or an account, an old outbox, a spool: each is reported, none is a failure."""
    now_ms = int(time.time() * 1000)
    old_ms = (now_ms // MS_PER_DAY - 1) * MS_PER_DAY
    with connect(database_url, name="test", autocommit=True) as connection:
        connection.execute(
            "INSERT INTO call_cdr (call_id, direction, from_num, to_num, start_ts, answer_ts, answered, switch)"
            " VALUES ('zombie', 'inbound', '1', '2', %s, %s, 1, 'fs')",
            (old_ms, old_ms),
        )
        connection.execute(
            "INSERT INTO call_leg VALUES ('zombie', %s, 'fs', 'zombie', %s, 'core', false, '{}')",
            (old_ms * 1000, old_ms),
        )
        for name, reason in (("a", "no rate for outbound 49"), ("b", "no rate for outbound 44"), ("c", "x\x1b[2J")):
            connection.execute(
                "INSERT INTO call_cdr (call_id, account_id, direction, from_num, to_num, start_ts, answer_ts, end_ts,"
                " duration_sec, billsec, answered, disposition, switch, unrated, revision)"
                " VALUES (%s, 'acme', 'outbound', '1', '2', %s, %s, %s, 0, 0, 1, 'answered', 'fs', %s, 1)",
                (name, now_ms, now_ms, now_ms, reason),
            )
        store(connection, call("killed", start_ts=now_ms, disposition="lost", estimated=True))
        month = last_month(now_ms, ZoneInfo("UTC"))
        store(connection, call("stray", "ghost", begin_of(month, ZoneInfo("UTC")), cost_micros=None))
        connection.execute("DELETE FROM archive_outbox")
        connection.execute("""UPDATE call_cdr SET doubts = '[["transit", "198.51.100.7"]]' WHERE call_id = 'a'""")
        connection.execute(
            "INSERT INTO archive_outbox (start_ts, call_id, switch, since) VALUES"
            " (1, 'a', 'fs', now() - interval '30 h'), (1, 'b', 'fs', now())"
        )
        assert claim(connection, limit=1)
        for task in ("archive", "compact", "prune"):
            task_runs.begin(connection, task)
            task_runs.end(connection, task, exit_code=0, seconds=1.0, items=0)
    for path in ("spool/0000000000000001.spool", "spool-2/0000000000000003.spool", "dead-letters/leg-1.json"):
        (tmp_path / "data" / path).parent.mkdir(parents=True)
        (tmp_path / "data" / path).write_bytes(bytes(2048))
    done = tollbook("doctor", "--json", esl=esl)
    code, found = examined(done)
    assert code == 1
    reported = {check: found[check]["found"] for check in not_ok(found)}
    assert reported.pop("open calls").startswith("1 for more than a day, the oldest zombie for ")
    assert reported == {
        "estimated ends": "1 in 3 days, 1 of them lost; one is killed",
        "unrated calls": "3 in 3 days; 2 × no rate for outbound numbers; 1 × x\\x1b[2J",
        "calls without account": "1 in 3 days, 1 of them answered",
        "calls in doubt": "1 in 3 days; 1 × calls from 198.51.100.7, which is in neither list, that went on to the"
        " outside as outbound",
        "unbilled calls": f"1 answered calls of {month}: 1 of codes that are no account, such as ghost",
        "outbox": "2 rows wait, the oldest for 30 h; 1 batches left by an archiver that did not finish",
        "spool": "4.0 KiB wait for PostgreSQL, the fullest spool is at 0% of its limit",
        "dead letters": "1 files",
    }
    assert found["estimated ends"]["commands"] == ["tollbook recover FOLDER", "tollbook explain killed"]
    assert "name 198.51.100.7 in TOLLBOOK_ONNET" in found["calls in doubt"]["remedy"]
    assert found["calls in doubt"]["commands"] == ["tollbook explain a"]
    assert "\\u001b" not in done.stdout


def test_a_statement_takes_the_locks_that_are_counted(database: Connection) -> None:
    """One that cannot rule out a day locks its partitions of calls and legs with all of their indexes."""
    days = range(current_day() - 40, current_day())
    Partitions().ensure(database, call_days=days, leg_days=days)
    table = health.lock_table(database)
    with database.transaction():
        database.execute("SELECT FROM call_cdr, call_leg WHERE call_cdr.call_id = uid AND call_leg.uid = 'x'")
        (taken,) = database.execute("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()").fetchone()
    assert table.days == len(days) + 1  # and the late ones
    assert table.days * table.per_day <= taken < (table.days + 5) * table.per_day


def test_a_comment_that_an_older_systemd_does_not_end_is_named(tollbook: Tollbook, esl: str, tmp_path: Path) -> None:
    """By its file and line: the services would not get the setting below it."""
    file = tmp_path / "tollbook.env"
    file.write_text("# C:\\calls\\\nTOLLBOOK_LOG_LEVEL=info\n")
    code, findings = examined(tollbook("doctor", "--json", esl=esl, env_file=str(file)))
    assert (code, not_ok(findings)) == (1, {"settings": "WARN"})
    assert f"a comment ends with a backslash: {file}, line 1" in findings["settings"]["found"]
