"""Erasing removes what imports left in the data directory: refused records, and the legs of a run that was killed."""

from pathlib import Path

from maintenance.importing.staging import Staging
from tests.commands import Tollbook
from tests.databases import store
from tests.factories import call
from tollbook.store.database import Connection

HOW = ("--switch", "fs-old", "--timezone", "UTC")


def test_what_imports_left_goes_whole(tollbook: Tollbook, database: Connection, tmp_path: Path) -> None:
    """Nobody can say whose a damaged line is. It is shown before, counted on the receipt, and once."""
    store(database, call("a"))
    (tmp_path / "Master.csv").write_text('"acme","+49301112223\n')
    assert tollbook("import", "cdr_csv", "Master.csv", *HOW).returncode == 65
    imports = tmp_path / "data" / "imports"
    assert "+49301112223" in (imports / "refused.csv").read_text()
    (imports / "staging-1.sqlite").write_text("+49301112223")  # as a kill leaves it
    shown = tollbook("account", "erase", "acme").stdout
    assert f"{imports / 'refused.csv'}, whole" in shown
    assert f"{imports / 'staging-1.sqlite'}, whole" in shown
    done = tollbook("account", "erase", "acme", "--yes")
    assert (done.returncode, "2 import files" in done.stdout) == (0, True), done.stdout + done.stderr
    assert [path.name for path in imports.iterdir()] == ["lock"]
    assert "whole" not in tollbook("account", "erase", "acme").stdout


def test_it_does_not_begin_beside_an_import(tollbook: Tollbook, database: Connection, tmp_path: Path) -> None:
    """Which has read legs of the account that are in no tier yet."""
    store(database, call("a"))
    with Staging(tmp_path / "data"):
        refused = tollbook("account", "erase", "acme", "--yes")
    assert (refused.returncode, "`tollbook import`" in refused.stderr) == (75, True), refused.stdout + refused.stderr
    assert tollbook("account", "erasures").stdout == ""
    assert tollbook("account", "erase", "acme", "--yes").returncode == 0
