"""The Debian package, under a systemd that is the first process of a machine, from its installation to its purge."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.built_packages import build_both, clone
from tests.acceptance.follow_install import SOURCES, drop_database, follow_install, follow_without_package
from tests.acceptance.machine import Machine, booted
from tests.paths import CALLS
from tests.waiting import wait_until
from tollbook.demo.check_export import Export
from tollbook.demo.verdict import COSTS, differences, record_of
from tollbook.simulator.freshen import FreshCall
from tollbook.simulator.recording import load
from tollbook.simulator.thread import SwitchThread

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may boot a machine with systemd-nspawn"),
]

# Calls whose legs all have a CDR file: what ends while the listener is away comes from these.
RECORDINGS = [load(CALLS / name) for name in COSTS if (CALLS / name / "json_cdr").is_dir()]
CDR_FOLDER = "var/spool/freeswitch/json_cdr"
SERVING = ("tollbook-listen.service", "tollbook-api.service", "tollbook-deliver.service")
TIMERS = tuple(f"tollbook-{name}.timer" for name in ("archive", "compact", "prune", "recover"))

# What docs/security.md says of the role, and the settings that nobody can do without.
DATABASE = """
CREATE ROLE tollbook LOGIN PASSWORD 'secret' NOSUPERUSER NOCREATEDB NOCREATEROLE;
CREATE DATABASE tollbook OWNER tollbook;
CREATE ROLE tollbook_api NOLOGIN;
GRANT tollbook_api TO tollbook;
"""
SETTINGS = """
TOLLBOOK_DATABASE_URL='postgresql://tollbook:secret@127.0.0.1:5432/tollbook'
TOLLBOOK_DATA_DIR=/var/lib/tollbook
TOLLBOOK_ESL='esl://:ClueCon@127.0.0.1:8021'
TOLLBOOK_CDR_DIR=/var/spool/freeswitch/json_cdr
"""
# So that the test need not wait for half a minute. Administrators override units like this, too.
SOONER = "[Service]\nWatchdogSec=10s\n"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with new.deb, built from the checkout, and old.deb, from the commit before it.

    They are built on a machine of their own, as docs/install.md says, on which Tollbook is then installed without a
    package, as it says, too.
    """
    folder = tmp_path_factory.mktemp("packages")
    sources = tmp_path_factory.mktemp("sources")
    clone(sources)
    with booted(folder / "console.log", writable={sources: SOURCES}) as machine:
        build_both(machine, sources, folder)
        follow_without_package(machine)
    shutil.rmtree(sources)
    return folder


@pytest.fixture
def machine(packages: Path, tmp_path: Path) -> Iterator[Machine]:
    with booted(tmp_path / "console.log", readable={packages: "/shared"}) as machine:
        yield machine


class Book:
    """What was played on the switch of the machine, and what its API answers."""

    def __init__(self, switch: SwitchThread, key: str) -> None:
        self._switch = switch
        self._export = Export(url="http://127.0.0.1:8080", key=key)
        self._wanted: dict[str, list[dict[str, Any]]] = {}
        self._since_ms = time.time_ns() // 1_000_000 - 60_000

    def play(self, seconds: float) -> None:
        """Begin calls for some seconds, ten each second, and return at once."""
        self._playing = self._switch.start_playing_at_rate(
            RECORDINGS, calls_per_s=10, count=round(seconds * 10), speed=4, on_begin=self._note
        )

    def _note(self, call: FreshCall) -> None:
        name = call.template.recording.name
        self._wanted.setdefault(name, []).extend(record_of(name, row) for row in call.rows)

    def wait_until_right(self) -> None:
        """Wait until every call that was played has its row, and each is right."""
        self._playing.result(60)
        wait_until(lambda: self._right(), 60, every_s=0.5, what=lambda: self._wrong)

    def _right(self) -> bool:
        try:
            found = self._export.rows(self._since_ms)
        except OSError as error:
            self._wrong: object = error
            return False
        self._wrong = differences(self._wanted, found, "the API")
        return not self._wrong


def test_a_package_from_its_installation_to_its_purge(machine: Machine) -> None:
    """Installed, set up, killed, hung, upgraded, upgraded without a database, removed, purged; no call is lost.

    Then, on what is a new machine again, docs/install.md is followed to the letter.
    """
    install(machine)
    key = set_up(machine)
    with machine.network(), SwitchThread(port=8021, json_cdr_dir=machine.root / CDR_FOLDER, heartbeat_s=2) as switch:
        machine.run("systemctl", "enable", "--now", *SERVING, *TIMERS)
        switch.wait_for_subscriber(30)
        book = Book(switch, key)
        book.play(1)
        book.wait_until_right()
        kill(machine, book)
        hang(machine, book)
        upgrade(machine, book)
        upgrade_without_database(machine, book)
        see_timers(machine)
        see_log(machine)
    remove_and_purge(machine)
    drop_database(machine)
    machine.run("bash", "-euc", f"mkdir -p {SOURCES}/dist; cp /shared/new.deb {SOURCES}/dist/tollbook_1_amd64.deb")
    follow_install(machine)


def install(machine: Machine) -> None:
    """The command is there, for the user tollbook; nothing runs before it is set up."""
    printed = machine.run("apt-get", "install", "-qq", "/shared/old.deb")
    assert "Set it up with `tollbook setup`" in printed
    assert machine.run("runuser", "-u", "tollbook", "--", "tollbook", "--version").startswith("tollbook, version ")
    assert machine.run("stat", "-c", "%U:%G %a", "/var/lib/tollbook") == "tollbook:tollbook 750\n"
    assert machine.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "tollbook-*") == ""


def set_up(machine: Machine) -> str:
    """Return the key of an operator."""
    machine.run("runuser", "-u", "postgres", "--", "psql", "--quiet", "--set=ON_ERROR_STOP=1", stdin=DATABASE)
    machine.run(
        "sh", "-c", "umask 027; cat > /etc/tollbook/tollbook.env; chgrp tollbook /etc/tollbook/*", stdin=SETTINGS
    )
    machine.run("install", "-d", "-m", "2770", "-o", "root", "-g", "tollbook", f"/{CDR_FOLDER}")
    folder = "/run/systemd/system/tollbook-listen.service.d"
    machine.run("sh", "-c", f"mkdir -p {folder}; cat > {folder}/sooner.conf; systemctl daemon-reload", stdin=SOONER)
    tollbook(machine, "db", "upgrade")
    rates = next(machine.root.glob("opt/tollbook/.venv/lib/python3*/site-packages/tollbook/demo/rates.csv"))
    tollbook(machine, "rates", "import", "/" + str(rates.relative_to(machine.root)), "--plan", "demo")
    for account in ("acct_alpha", "acct_beta"):
        tollbook(machine, "account", "add", account, "--plan", "demo")
    key = re.search(r"\bsk_[\w-]+", tollbook(machine, "key", "create", "--operator"))
    assert key
    return key[0]


def tollbook(machine: Machine, *arguments: str) -> str:
    """Run a command as documented: as the user tollbook, with the settings of the services."""
    script = 'set -a; . /etc/tollbook/tollbook.env; cd /var/lib/tollbook; exec tollbook "$@"'
    return machine.run("runuser", "-u", "tollbook", "--", "sh", "-c", script, "-", *arguments)


def kill(machine: Machine, book: Book) -> None:
    """systemd starts again what was killed, and what ended meanwhile comes from the switch's files."""
    book.play(3)
    time.sleep(1)  # in the midst of them
    machine.run("systemctl", "kill", "--signal=KILL", *SERVING)
    book.wait_until_right()
    assert [machine.property_of(unit, "NRestarts") for unit in SERVING] == ["1"] * len(SERVING)


def hang(machine: Machine, book: Book) -> None:
    """systemd's watchdog kills a listener that stands still, and starts it again."""
    before = machine.property_of(SERVING[0], "MainPID")
    book.play(3)
    machine.run("systemctl", "kill", "--kill-whom=main", "--signal=STOP", SERVING[0])
    wait_until(lambda: machine.property_of(SERVING[0], "MainPID") not in (before, "0"), 60, every_s=0.5)
    book.wait_until_right()
    assert "Watchdog timeout" in machine.run("journalctl", "--unit=tollbook-listen")


def upgrade(machine: Machine, book: Book) -> None:
    """With calls arriving: both services run the new version, with the old settings; timers go on."""
    before = [machine.property_of(unit, "MainPID") for unit in SERVING]
    book.play(15)
    machine.run("apt-get", "install", "-qq", "/shared/new.deb")
    version = machine.run("dpkg-query", "--show", "--showformat=${Version}", "tollbook")
    assert version == machine.run("dpkg-deb", "--field", "/shared/new.deb", "Version").strip()
    after = [machine.property_of(unit, "MainPID") for unit in SERVING]
    assert not {"0", *before} & set(after)
    assert machine.run("systemctl", "is-active", *SERVING, *TIMERS).split() == ["active"] * 7
    assert machine.run("stat", "-c", "%U:%G %a", "/etc/tollbook/tollbook.env") == "root:tollbook 640\n"
    assert machine.run("cat", "/etc/tollbook/tollbook.env") == SETTINGS
    book.wait_until_right()


def upgrade_without_database(machine: Machine, book: Book) -> None:
    """The package is installed all the same and says what to do; the listener goes on, and keeps what it hears."""
    machine.run("systemctl", "stop", "postgresql")
    before = machine.property_of(SERVING[0], "MainPID")
    book.play(1)
    printed = machine.run("dpkg-reconfigure", "tollbook")
    assert "THE SCHEMA WAS NOT UPGRADED" in printed
    assert machine.property_of(SERVING[0], "MainPID") == before
    machine.run("systemctl", "start", "postgresql")
    machine.run("systemctl", "restart", *SERVING)
    book.wait_until_right()


def see_timers(machine: Machine) -> None:
    """The archive's timer has run it, and each command that a timer starts ends well under its unit's confinement."""
    wait_until(lambda: machine.property_of("tollbook-archive.timer", "LastTriggerUSec"), 60, every_s=1)
    commands = [timer.replace(".timer", ".service") for timer in TIMERS]
    machine.run("systemctl", "start", *commands)
    assert [machine.property_of(command, "Result") for command in commands] == ["success"] * 4
    tollbook(machine, "archive", "run", "--now")


def see_log(machine: Machine) -> None:
    """Each line has the name of its unit, and none that of a shell."""
    for unit in ("tollbook-listen", "tollbook-api", "tollbook-archive"):
        fields = machine.run("journalctl", f"--unit={unit}", "--output=cat", "--output-fields=SYSLOG_IDENTIFIER")
        assert set(fields.split()) <= {unit, "systemd"}


def remove_and_purge(machine: Machine) -> None:
    """A removal keeps settings and data; a purge the data, unless it was answered otherwise; the database stays."""
    machine.run("apt-get", "remove", "-qq", "tollbook")
    assert machine.try_run("systemctl", "is-active", *SERVING, *TIMERS).stdout.split() == ["inactive"] * 7
    assert not (machine.root / "opt/tollbook").exists()
    assert machine.run("cat", "/etc/tollbook/tollbook.env") == SETTINGS
    assert "/var/lib/tollbook is kept" in machine.run("apt-get", "purge", "-qq", "tollbook")
    assert not (machine.root / "etc/tollbook").exists()
    assert machine.run("find", "/var/lib/tollbook", "-name", "*.parquet")
    machine.run("apt-get", "install", "-qq", "/shared/new.deb")
    machine.run("debconf-set-selections", stdin="tollbook tollbook/purge-data boolean true\n")
    machine.run("apt-get", "purge", "-qq", "tollbook")
    assert not (machine.root / "var/lib/tollbook").exists()
    assert "tollbook" in machine.run("runuser", "-u", "postgres", "--", "psql", "--list", "--csv")
