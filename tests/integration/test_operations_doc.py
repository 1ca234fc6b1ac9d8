"""The commands of docs/operations.md, each run as written, on an installation that has calls, files and a switch."""

import os
import re
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.api_server import serving
from tests.commands import Start, run_here
from tests.databases import store
from tests.endpoints import add_endpoint
from tests.factories import call
from tests.integration.maintenance.restore.installation import Installation
from tests.paths import CALLS, ROOT
from tests.waiting import wait_until
from tollbook.simulator.freshen import CallTemplate
from tollbook.simulator.recording import load
from tollbook.simulator.thread import SwitchThread
from tollbook.store.database import connect
from tollbook.times import MS_PER_DAY, SECONDS_PER_DAY, current_day, date_of

DOCUMENT = (ROOT / "docs" / "operations.md").read_text()
UNITS = ROOT / "conf" / "systemd"
HEADINGS = ("Calls", "Switches", "Disk and database", "API", "Archive")

TODAY = current_day()
PLACES = re.compile(
    r"(?<!\w)(FOLDER|CALL_ID|ACCOUNT|ENDPOINT|PLAN|KEY|NEW:8021|OLD:8021|127\.0\.0\.1:8080|2026-11-01|/var/lib/tollbook)\b"
)

# What ends with another code where there is nothing to do, or something to say.
OTHER_CODES = {"tollbook archive attach": {64}, "tollbook doctor": {0, 1, 2}, "tollbook webhook test": {75}}

# A program that this machine has no daemon for, as a script: it checks that it is asked for what there is.
UNITS_EXIST = f"""
    for word in "$@"; do
        case "$word" in
            tollbook-*.timer|tollbook-*.service) ls {UNITS}/$word >/dev/null || exit 5;;
            tollbook-*) ls {UNITS}/$word.service >/dev/null || exit 5;;
        esac
    done
"""
ASK_SWITCH = """
import sys
from tollbook.esl.client import EslClient
with EslClient("127.0.0.1", int(sys.argv[1]), timeout_s=10) as client:
    client.login(sys.argv[2])
    print(client.api(sys.argv[4]))
"""


def section(heading: str) -> str:
    """The part of the page below a heading of any level."""
    return re.split(rf"^#+ {re.escape(heading)}$", DOCUMENT, flags=re.MULTILINE)[1].split("\n#", 1)[0]


def commands(heading: str) -> list[str]:
    """The commands in the tables of a section, in their order: a word alone is a setting, a unit or a file."""
    cells = [line.rsplit("|", 2)[1] for line in section(heading).splitlines() if line.startswith("|")]
    spans = [span for cell in cells for span in re.findall(r"`([^`]+)`", cell)]
    return [span for span in spans if " " in span and not span.startswith("TOLLBOOK_")]


@pytest.fixture(scope="module")
def role(postgres_url: str) -> None:
    """The role whose password the page changes."""
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute("DO $$ BEGIN CREATE ROLE tollbook LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")


@pytest.fixture(scope="module")
def switch() -> Iterator[SwitchThread]:
    with SwitchThread() as running:
        yield running


@pytest.fixture
def made(postgres_url: str, role: None, database_url: str, tmp_path: Path, switch: SwitchThread) -> Installation:
    """An installation with some calls, archived, and one that is not priced; CDR files, a deck, a switch."""
    del role
    name = database_url.partition("@/")[2].partition("?")[0]
    ours = {"TOLLBOOK_ESL": switch.url, "TOLLBOOK_DATABASE_URL": database_url}
    made = Installation(folder=tmp_path, postgres_url=postgres_url, settings=ours, database=name)
    (tmp_path / "rates.csv").write_text("prefix,per_min,valid_from\n49,0.06,2020-01-01\n44,0.12,2020-01-01\n")
    made.tollbook("rates", "import", str(tmp_path / "rates.csv"), "--plan", "retail", "--currency", "EUR")
    made.tollbook("account", "add", "acme")
    with connect(database_url, name="test", autocommit=True) as connection:
        store(connection, *(call(f"c{day}", start_ts=day * MS_PER_DAY) for day in (TODAY - 5, TODAY - 1)))
        store(connection, call("unpriced", start_ts=TODAY * MS_PER_DAY, cost_micros=None))
        assert add_endpoint(connection) == 1
    made.tollbook("archive", "run", "--now")
    (made.cdr_dir / "done").mkdir(parents=True)
    for file in (CALLS / "attended_transfer" / "json_cdr").iterdir():
        shutil.copy(file, made.cdr_dir)
        old = shutil.copy(file, made.cdr_dir / "done" / f"old-{file.name}")
        os.utime(old, (time.time() - 40 * SECONDS_PER_DAY,) * 2)
    made.shell("true")  # makes the programs beside which ours go
    made_tools(made, switch)
    return made


def made_tools(made: Installation, switch: SwitchThread) -> None:
    """More programs: those of systemd look whether there is such a unit, and fs_cli asks the switch."""
    (made.folder / "ask.py").write_text(ASK_SWITCH)
    port = switch.address[1]
    scripts = {
        "systemctl": UNITS_EXIST,
        "journalctl": UNITS_EXIST,
        "timedatectl": '[ "$1" = set-ntp ]',
        "dmesg": "dmesg --help >/dev/null".replace("dmesg", "/bin/dmesg"),  # a container may not read the kernel's log
        "fs_cli": f'exec {sys.executable} {made.folder / "ask.py"} {port} {switch.password} "$@"',
    }
    for name, script in scripts.items():
        (made.folder / "tools" / name).write_text(f"#!/bin/sh\n{script}\n")
        (made.folder / "tools" / name).chmod(0o755)


def run(made: Installation, command: str, **here: str) -> str:
    """Run one command of the page, with what the operator fills in, and return what it prints."""
    ours = {
        "FOLDER": str(made.cdr_dir),
        "CALL_ID": "unpriced",
        "ACCOUNT": "acme",
        "PLAN": "retail",
        "KEY": "1",
        "ENDPOINT": "wh_1",
    }
    ours |= {"2026-11-01": str(date_of(TODAY - 5)), "/var/lib/tollbook": str(made.data_dir)} | here
    filled = PLACES.sub(lambda place: ours.get(place[0], place[0]), command)
    for named in ("--dbname={}", "datname = '{}'"):
        filled = filled.replace(named.format("tollbook"), named.format(made.database))
    codes = next((codes for known, codes in OTHER_CODES.items() if command.startswith(known)), {0})
    if filled.startswith("tollbook "):
        done = run_here(shlex.split(filled)[1:], made.environment(), made.folder)
        assert done.returncode in codes, (command, done.stdout, done.stderr)
        return done.stdout + done.stderr
    return made.shell(filled)


def all_of(made: Installation, heading: str, **here: str) -> dict[str, str]:
    """Run each command of a section once, and return what they printed."""
    return {command: run(made, command, **here) for command in dict.fromkeys(commands(heading))}


def test_every_table_is_run() -> None:
    """And the page has no other below its symptoms."""
    symptoms = DOCUMENT.partition("\n## Symptoms\n")[2].partition("\n## ")[0]
    assert tuple(re.findall(r"^### (.*)$", symptoms, re.MULTILINE)) == HEADINGS
    assert sum(len(commands(heading)) for heading in HEADINGS) > 60


def test_calls(made: Installation, database_url: str) -> None:
    """What was missing comes from the files, what had no price gets one."""
    printed = all_of(made, "Calls")
    with psycopg.connect(database_url) as connection:
        costs = dict(connection.execute("SELECT call_id, cost_micros FROM call_cdr").fetchall())
    assert "no such account" in printed["tollbook explain CALL_ID"]
    assert costs["unpriced"] is not None
    assert not list(made.cdr_dir.glob("*.json"))


def test_switches(made: Installation) -> None:
    """The switch is asked on its socket."""
    printed = all_of(made, "Switches", **{"NEW:8021": "fs2:8021", "OLD:8021": "fs1:8021"})
    assert "FreeSWITCH" in printed["fs_cli -x status"]


def test_disk_and_database(made: Installation) -> None:
    """What is old is deleted, and nothing else; the statements that an administrator runs are PostgreSQL's."""
    printed = all_of(made, "Disk and database")
    assert list((made.cdr_dir / "done").iterdir()) == []
    assert list(made.cdr_dir.glob("*.json"))
    sizes, sessions = (text for command, text in printed.items() if "SELECT" in command)
    assert "call_cdr" in sizes
    assert "application_name" in sessions


def test_the_api(made: Installation, database_url: str) -> None:
    """A leaked key is refused from its next request on."""
    key = made.tollbook("key", "create", "--operator").split()[0]
    with serving(database_url, made.folder / "api.log", data_dir=str(made.data_dir)) as api:
        assert api.get("/v1/whoami", key)[0].status == 200
        printed = all_of(made, "API", **{"127.0.0.1:8080": f"127.0.0.1:{api.port}"})
        assert api.get("/v1/whoami", key)[0].status == 401
    assert '"ok":true' in printed["curl -sS --max-time 5 http://127.0.0.1:8080/healthz"].replace(" ", "")


def test_the_archive(made: Installation, database_url: str) -> None:
    """What waits is archived."""
    all_of(made, "Archive")
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM archive_outbox").fetchone() == (0,)


def test_the_logs(made: Installation) -> None:
    """Of units that there are."""
    assert len(all_of(made, "Logs")) > 4


def test_a_command_that_does_not_exist_is_seen(made: Installation) -> None:
    """The runs above can fail: on a unit, a program and an option."""
    for wrong in ("systemctl restart tollbook-listener", "journalctl -u tollbook-arch -n 5", "psqll --version"):
        with pytest.raises(AssertionError):
            run(made, wrong)
    with pytest.raises(AssertionError):
        run(made, "tollbook prune --gently")


def test_a_switch_with_another_address(start: Start, database_url: str) -> None:
    """Calls that were up on the old one end as lost once its processes have the new address, and not before."""
    recording = load(CALLS / "outbound_answered")
    (statement,) = re.findall(r'--command="(UPDATE switch_process [^"]+)"', DOCUMENT)
    with connect(database_url, name="test", autocommit=True) as connection:

        def ends() -> list[str | None]:
            return [
                end for (end,) in connection.execute("SELECT disposition FROM call_cdr ORDER BY start_ts").fetchall()
            ]

        with SwitchThread(heartbeat_s=0.5) as old:
            listener = start("listen", esl=old.url)
            old.wait_for_subscriber(20)
            fresh = CallTemplate(recording).fresh(time.time_ns() // 1000, core_uuid=old.core_uuid)
            names = [event.name for event in recording.events]
            old.emit(fresh, range(names.index(b"CHANNEL_HANGUP_COMPLETE")))
            wait_until(lambda: ends() == [None], 20)
            wait_until(lambda: connection.execute("SELECT FROM switch_process").fetchall(), 20)
            listener.end()
        with SwitchThread(heartbeat_s=0.5) as new:
            addresses = {"OLD:8021": f"127.0.0.1:{old.address[1]}", "NEW:8021": f"127.0.0.1:{new.address[1]}"}
            for written, here in addresses.items():
                statement = statement.replace(written, here)
            assert connection.execute(statement.encode()).rowcount == 1
            listener = start("listen", esl=new.url)
            wait_until(lambda: ends() == ["lost"], 20, what=lambda: listener.output)
            listener.end()
