"""The command `tollbook`: its list of commands is right and imports none; errors are one line and an exit code."""

import subprocess
import sys
import tomllib
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

from tests.paths import ROOT

TOLLBOOK = Path(sys.executable).with_name("tollbook")
# What `--help` must not import: it would take seconds, and `listen` has to patch the standard library before psycopg.
HEAVY = ("psycopg", "gevent", "flask", "pyiceberg", "pyarrow", "sqlalchemy", "pydantic", "msgspec", "rich")


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **settings}
    return subprocess.run([TOLLBOOK, *arguments], env=environment, capture_output=True, text=True, timeout=60)


def listed() -> list[str]:
    shown = run("--help").stdout.partition("Commands:\n")[2]
    return [line.split()[0] for line in shown.splitlines() if line.startswith("  ") and line[2] != " "]


def test_the_list_of_commands_is_the_registered_ones() -> None:
    registered = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["tollbook.commands"]
    assert sorted(listed()) == sorted(registered)


@pytest.mark.parametrize("name", sorted(entry_points(group="tollbook.commands").names))
def test_every_registered_command_can_be_loaded(name: str) -> None:
    shown = run(name, "--help")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(f"Usage: tollbook {name}")


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"], []])
def test_listing_the_commands_loads_none(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom tollbook.cli import main\n"
        f"sys.argv = ['tollbook', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_the_installed_one() -> None:
    assert run("--version").stdout == f"tollbook, version {version('tollbook')}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bill"], "No such command 'bill'"),
        (["--verbose"], "No such option"),
        (["account", "number", "add"], "Missing argument 'ACCOUNT_ID'"),
        (["rates", "import", "/nonexistent/rates.csv", "--plan", "x"], "does not exist"),
    ],
)
def test_a_wrong_command_line_ends_with_a_message_and_2(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_error_of_ours_is_one_line_with_its_exit_code() -> None:
    done = run("db", "upgrade", TOLLBOOK_DATABASE_URL="mysql://x")
    assert done.returncode == 78
    assert done.stderr.startswith("tollbook: wrong settings:\n  TOLLBOOK_DATABASE_URL: ")
    assert "Traceback" not in done.stderr
