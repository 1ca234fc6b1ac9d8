"""`tollbook setup`: from an empty PostgreSQL to calls in the API, unattended or asked, and again at any time."""

import re
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from tests.api_server import TIMEOUT_S
from tests.commands import TOLLBOOK, Done, Running, environment, free_port, run_here
from tests.databases import on_server
from tests.password_server import password_server
from tests.waiting import wait_until
from tollbook.env_file import assignments
from tollbook.simulator.recording import load_all
from tollbook.simulator.thread import SwitchThread
from tollbook.store.database import connect, scalar

DECK = "prefix,per_min\n" + "".join(f"{digit},0.015\n" for digit in range(10))
Setup = Callable[..., Done]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The administrator's URL of a server that asks everybody else for a password."""
    with tempfile.TemporaryDirectory(prefix="tollbook-tests-") as folder, password_server(Path(folder)) as url:
        yield url


@pytest.fixture
def admin_url(server: str) -> Iterator[str]:
    """The same, without what the last test has made."""
    yield server
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS tollbook WITH (FORCE)")
        for role in ("tollbook", "tollbook_api"):
            connection.execute(f"DROP ROLE IF EXISTS {role}")


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[SwitchThread]:
    folder = tmp_path / "json_cdr"
    folder.mkdir()
    with SwitchThread(password="p@ss:w/rd, #%20", json_cdr_dir=folder) as switch:
        yield switch


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    """Run `tollbook setup` for a file of settings of the test's, with what is typed."""

    def run(*arguments: str | Path, typed: str = "") -> Done:
        command = [
            TOLLBOOK, "setup", "--env-file", tmp_path / "tollbook.env", "--user", user(),
            "--data-dir", tmp_path / "data", *arguments,
        ]  # fmt: skip
        done = subprocess.run(
            command, env=environment(), input=typed, capture_output=True, text=True, timeout=120, check=False
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


def user() -> str:
    """Us: the checkout may lie where nobody else may look."""
    return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


def url_of(switch: SwitchThread) -> str:
    """The switch as TOLLBOOK_ESL names it."""
    return f"esl://:{quote(switch.password, safe='')}@127.0.0.1:{switch.address[1]}"


def settings(tmp_path: Path) -> dict[str, str]:
    return {found.name: found.value for found in assignments((tmp_path / "tollbook.env").read_text())}


def installed(tmp_path: Path, *arguments: str) -> Done:
    """Run a command with the file that was written, and nothing else."""
    env = environment(env_file=str(tmp_path / "tollbook.env"))
    return subprocess.run([TOLLBOOK, *arguments], env=env, capture_output=True, text=True, timeout=60, check=False)


def test_unattended_in_one_line(setup: Setup, admin_url: str, switch: SwitchThread, tmp_path: Path) -> None:
    """Database, roles, password, settings, rates, account, keys; then the services run, and the doctor finds all OK."""
    deck = tmp_path / "deck.csv"
    deck.write_text(DECK)
    done = setup(
        "--yes", "--admin-database-url", admin_url, "--esl", url_of(switch), "--cdr-dir", tmp_path / "json_cdr",
        "--deck", deck, "--plan", "retail", "--currency", "EUR", "--account", "acct_alpha",
        "--operator-key", "--set", f"TOLLBOOK_API_BIND=127.0.0.1:{free_port()}",
    )  # fmt: skip
    file = tmp_path / "tollbook.env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o750
    found = settings(tmp_path)
    password = re.fullmatch(r"postgresql://tollbook:([\w-]{32})@/tollbook\?host=/.*", found["TOLLBOOK_DATABASE_URL"])
    assert password
    assert password[1] not in done.stdout + done.stderr
    assert found["TOLLBOOK_CDR_DIR"] == str(tmp_path / "json_cdr")
    for line in ("database tollbook made", "FreeSWITCH", "account acct_alpha added", "tollbook doctor"):
        assert line in done.stdout, done.stdout
    keys = re.findall(r"API key.*: (sk_\S+)", done.stdout)
    assert len(keys) == 2
    # What is left to do is to start it.
    assert done.returncode == 2
    failed = re.findall(r"^FAIL  (.*?)  ", done.stdout, re.MULTILINE)
    assert failed == [f"heartbeat 127.0.0.1:{switch.address[1]}"]
    running = Running(["run"], environment(env_file=str(file)), tmp_path / "run.log")
    try:
        running.wait_for("serve ready", 60)
        switch.wait_for_subscriber()
        switch.play(load_all(["outbound_answered"]), speed=20)
        with connect(found["TOLLBOOK_DATABASE_URL"], name="test", autocommit=True) as connection:
            wait_until(lambda: scalar(connection, "SELECT count(*) FROM call_cdr WHERE end_ts IS NOT NULL"), TIMEOUT_S)
        wait_until(lambda: installed(tmp_path, "doctor").returncode == 0, TIMEOUT_S, every_s=0.5)
    finally:
        assert running.stop() == 0, running.output


@pytest.mark.soak
def test_again_it_keeps_what_is_set(setup: Setup, admin_url: str, switch: SwitchThread, tmp_path: Path) -> None:
    """Not a byte of the file changes, no second key is made; what an operator has added stays."""
    first = ("--yes", "--admin-database-url", admin_url, "--esl", url_of(switch), "--account", "acct_alpha")
    setup(*first)
    file = tmp_path / "tollbook.env"
    file.write_text(file.read_text() + "# mine\nTOLLBOOK_ONNET=pbx # as it is\n")
    before = file.read_bytes()
    for arguments in (("--yes",), first):
        done = setup(*arguments)
        assert file.read_bytes() == before
        assert "made" not in done.stdout
    assert "account acct_alpha has a key already" in done.stdout
    assert installed(tmp_path, "key", "list").stdout.count("acct_alpha") == 1
    done = setup("--yes", "--esl", "esl://:other@127.0.0.1:1")
    assert "TOLLBOOK_ESL is changed" in done.stdout
    assert "ClueCon" not in done.stdout
    assert settings(tmp_path)["TOLLBOOK_ESL"] == "esl://:other@127.0.0.1:1"
    assert settings(tmp_path)["TOLLBOOK_ONNET"] == "pbx # as it is"


@pytest.mark.soak
def test_asked_it_checks_each_answer(setup: Setup, admin_url: str, switch: SwitchThread, tmp_path: Path) -> None:
    """A wrong answer is explained and asked for again; every question has a default."""
    host = f"127.0.0.1:{switch.address[1]}"
    deck = tmp_path / "deck.csv"
    deck.write_text(DECK)
    typed = [
        "",  # the data directory
        "postgresql://postgres@/postgres?host=/nonexistent", admin_url,
        "no such host!", host, "wrong", "n",
        host, switch.password, "n",
        "/nonexistent", str(tmp_path / "json_cdr"),
        "not a name", "domain_name",
        "/nonexistent.csv", str(deck), "euro", "EUR",
        "acct_alpha", "Atlantis", "GB", "y",
    ]  # fmt: skip
    done = setup_asking(tmp_path, "\n".join(typed) + "\n")
    for said in (
        "No such file or directory", "--admin-database-url", "is no address: write HOST, HOST:8021",
        "refuses the password", "there is no folder /nonexistent", "TOLLBOOK_ACCOUNT_VARIABLE: ",
        "there is no file /nonexistent.csv", "write three capital letters", "plan retail (EUR)",
        "there is no numbering plan Atlantis", "account acct_alpha added", "operator's API key: sk_",
    ):  # fmt: skip
        assert said in done.stdout, (said, done.stdout, done.stderr)
    found = settings(tmp_path)
    assert found["TOLLBOOK_ACCOUNT_VARIABLE"] == "domain_name"
    assert found["TOLLBOOK_CDR_DIR"] == str(tmp_path / "json_cdr")
    assert switch.password not in done.stdout + done.stderr
    del setup


def setup_asking(tmp_path: Path, typed: str) -> Done:
    """Run it with questions: also the first, for which the fixture has an answer."""
    command = [TOLLBOOK, "setup", "--env-file", tmp_path / "tollbook.env", "--user", user()]
    return subprocess.run(
        command, env=environment() | {"HOME": str(tmp_path)}, input=typed, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


@pytest.mark.soak
def test_an_administrator_runs_the_sql(setup: Setup, admin_url: str, tmp_path: Path) -> None:
    """Where we may not: the SQL has no password in it, and the next run finds what it made. It is UTF-8."""
    host = admin_url.partition("host=")[2]
    url = f"postgresql://tollbook:p%40ss@/tollbook?host={host}"
    printed = setup("--print-sql", "--database-url", url)
    assert printed.returncode == 0, printed.stderr
    assert "p@ss" not in printed.stdout
    with psycopg.connect(admin_url, autocommit=True) as connection:
        for statement in printed.stdout.split(";\n"):
            connection.execute(statement.encode())
    done = setup("--yes")
    assert "role tollbook" in done.stdout
    assert "made" not in done.stdout
    assert "may not become" not in done.stdout
    with psycopg.connect(on_server(admin_url, "tollbook")) as connection:
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)


@pytest.mark.soak
@pytest.mark.parametrize("after", ["role", "database"])
def test_a_run_that_was_ended_is_finished_by_the_next(setup: Setup, admin_url: str, tmp_path: Path, after: str) -> None:
    """The password was written down before the role was made, so that the next run has it."""
    ended = f"""
import os
from maintenance.setup import database
made = database.make_database
def killed(*arguments, **options):
    for done in made(*arguments, **options):
        if done.startswith({after!r}):
            os._exit(9)
database.make_database = killed
from tollbook.cli import main
main()
"""
    command = [
        "--yes", "--admin-database-url", admin_url, "--env-file", str(tmp_path / "tollbook.env"), "--user", user(),
        "--data-dir", str(tmp_path / "data"),
    ]  # fmt: skip
    running = Running(["setup", *command], environment(), tmp_path / "ended.log", [sys.executable, "-c", ended])
    assert running.process.wait(TIMEOUT_S) == 9, running.output
    password = settings(tmp_path)["TOLLBOOK_DATABASE_URL"]
    done = setup("--yes", "--admin-database-url", admin_url)
    assert "role tollbook_api made" in done.stdout, done.stderr
    assert settings(tmp_path)["TOLLBOOK_DATABASE_URL"] == password


@pytest.mark.soak
def test_a_role_whose_password_nobody_knows_is_not_taken(setup: Setup, admin_url: str) -> None:
    """Another installation may use it: the error says how to take it all the same, or to use another."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE tollbook LOGIN PASSWORD 'another'")
    done = setup("--yes", "--admin-database-url", admin_url)
    assert done.returncode == 78
    assert "--reset-password" in done.stderr
    assert "--role" in done.stderr
    done = setup("--yes", "--admin-database-url", admin_url, "--reset-password")
    assert "role tollbook has a new password" in done.stdout, done.stderr


@pytest.mark.soak
def test_what_can_wait_is_said_at_the_end(setup: Setup, admin_url: str, tmp_path: Path) -> None:
    """A switch that is away and a folder that is missing stop nothing, and are set or named with what to do."""
    nowhere = f"esl://:x@127.0.0.1:{free_port()}"
    done = setup("--yes", "--admin-database-url", admin_url, "--esl", nowhere, "--cdr-dir", "/nonexistent")
    assert done.returncode == 2
    to_do = [line for line in done.stdout.splitlines() if line.startswith("to do: ")]
    assert "is FreeSWITCH up, is mod_event_socket loaded" in to_do[0]
    assert "there is no folder /nonexistent: as root run `install -d -m 2770 -o freeswitch -g" in to_do[1]
    assert settings(tmp_path)["TOLLBOOK_ESL"] == nowhere


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--set", "TOLLBOOK_RETENTION_DAY=3"), "--set TOLLBOOK_RETENTION_DAY: write NAME=VALUE"),
        (("--set", "TOLLBOOK_RETENTION_DAYS=0"), "TOLLBOOK_RETENTION_DAYS: "),
        (("--database-url", "postgresql://u:a-secret/x@h/d"), "write postgresql://USER:PASSWORD@HOST"),
        (("--user", "no-such-user"), "there is no user no-such-user on this machine: as root run `useradd"),
        (("--data-dir", "data"), "write the whole path"),
        (("--data-dir", "/proc/data"), "cannot be made"),
        (("--database-url", "postgresql://u:a-secret@127.0.0.2:1/d"), "let it be made there with --admin-database-url"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_made(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    ours = ["--env-file", str(tmp_path / "tollbook.env"), "--user", user(), "--data-dir", str(tmp_path / "data")]
    done = run_here(["setup", "--yes", *ours, *arguments], environment(), tmp_path)
    assert said in done.stderr + done.stdout
    assert "secret" not in done.stderr + done.stdout
    assert done.returncode in (64, 75, 78)
    assert not (tmp_path / "tollbook.env").exists()
