"""The commands of docs/upgrade.md for a checkout, run as written, on a clone that is behind."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.integration.maintenance.restore.installation import Installation
from tests.paths import ROOT
from tollbook.store.database import SCHEMA_REVISION

DOCUMENT = (ROOT / "docs" / "upgrade.md").read_text()
UNITS = ROOT / "conf" / "systemd"


def recipe(heading: str) -> str:
    """The shell commands below a heading."""
    (block,) = re.findall(r"^```sh\n(.*?)^```$", DOCUMENT.split(f"\n## {heading}\n")[1].split("\n## ")[0], re.S | re.M)
    return block


def git(folder: Path, *words: str) -> str:
    """Run git as nobody in particular."""
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "-C", str(folder), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def made(postgres_url: str, database_url: str, tmp_path: Path) -> Installation:
    """An installation, whose checkout lacks a commit, and whose `make` says what it would do."""
    name = database_url.partition("@/")[2].partition("?")[0]
    made = Installation(
        folder=tmp_path, postgres_url=postgres_url, settings={"TOLLBOOK_DATABASE_URL": database_url}, database=name
    )
    made.shell("true")  # makes the programs beside which ours goes
    (tmp_path / "tools" / "make").write_text('#!/bin/sh\nexec /usr/bin/make --dry-run "$@"\n')
    (tmp_path / "tools" / "make").chmod(0o755)
    origin, checkout = tmp_path / "origin", tmp_path / "checkout"
    for folder in (origin, tmp_path / "units"):
        folder.mkdir()
    git(origin, "init", "--quiet", "--initial-branch=main")
    for path in ("Makefile", "pyproject.toml", "requirements.lock"):
        (origin / path).write_text((ROOT / path).read_text())
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "--message=before")
    git(tmp_path, "clone", "--quiet", str(origin), str(checkout))
    (origin / "conf" / "systemd").mkdir(parents=True)
    for unit in UNITS.iterdir():
        (origin / "conf" / "systemd" / unit.name).write_text(unit.read_text())
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "--message=after")
    return made


def test_a_checkout_is_upgraded(made: Installation) -> None:
    """The timers stop before, the listener, which upgrades the schema, is restarted before the API, all goes on."""
    script = recipe("A checkout").replace("tollbook doctor\n", "tollbook doctor --json || [ $? -le 2 ]\n")
    for written, here in (("/opt/tollbook", "checkout"), ("/etc/systemd/system", "units")):
        script = script.replace(written, str(made.folder / here))
    output = made.shell(script)
    assert "--require-hashes" in output
    assert {path.name for path in (made.folder / "units").iterdir()} == {path.name for path in UNITS.iterdir()}
    asked = [line.split() for line in (made.folder / "systemctl").read_text().splitlines()]
    timers = sorted(path.name for path in UNITS.glob("*.timer"))
    assert [words[0] for words in asked] == ["stop", "daemon-reload", "restart", "restart", "start"]
    assert (sorted(asked[0][1:]), sorted(asked[-1][1:])) == (timers, timers)
    assert [words[1] for words in asked[2:4]] == ["tollbook-listen", "tollbook-api"]
    assert f"revision {SCHEMA_REVISION}" in output


def test_what_is_done_before(made: Installation) -> None:
    """The backup is one that can be restored."""
    script = recipe("Before").replace("tollbook doctor\n", "").replace("=custom tollbook ", f"=custom {made.database} ")
    script = script.replace("/backup/", f"{made.backup}/")
    made.shell(script)
    assert "call_cdr" in made.shell('pg_restore --list "$BACKUP/tollbook.dump"')
