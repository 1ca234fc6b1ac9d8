"""`tollbook account hold`: what is under a hold is not removed, and the holds are listed."""

import datetime as dt

from maintenance.compaction.run import compact_archive
from tests.archiving import archive_now, archived
from tests.commands import Tollbook
from tests.databases import store
from tests.factories import call
from tollbook.config import Settings
from tollbook.store import holds
from tollbook.store.database import Connection
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY

NOW = dt.datetime(2026, 11, 29, tzinfo=dt.UTC)
OLD_MS = int(NOW.timestamp() * 1000) - 200 * MS_PER_DAY


def test_holds_are_placed_listed_and_lifted(tollbook: Tollbook, database: Connection) -> None:
    """With who placed it and why; a lifted one stays on record."""
    assert tollbook("account", "add", "acme").returncode == 0
    assert tollbook("account", "hold", "acme", "--reason", "case 7").returncode == 0
    listed = tollbook("account", "hold").stdout
    assert listed.startswith("acme\tsince 20")
    assert listed.endswith("\tcase 7\n")
    changed = tollbook("account", "hold", "acme", "--reason", "case 7, until 2028")
    assert (changed.returncode, "stays held" in changed.stdout) == (0, True)
    assert tollbook("account", "hold").stdout.endswith("\tcase 7, until 2028\n")
    twice = tollbook("account", "hold", "acme")
    assert (twice.returncode, "held already" in twice.stderr) == (64, True)
    assert tollbook("account", "hold", "acme", "--release").returncode == 0
    assert tollbook("account", "hold").stdout == ""
    again = tollbook("account", "hold", "acme", "--release")
    assert (again.returncode, "is not held" in again.stderr) == (64, True)
    assert tollbook("account", "hold", "acme").returncode == 0
    kept = database.execute("SELECT count(*), count(released_at), count(released_by) FROM account_hold").fetchone()
    assert kept == (2, 1, 1)


def test_wrong_use_is_refused(tollbook: Tollbook) -> None:
    """An unknown account is most likely a typing error, and would leave the right one unprotected."""
    for arguments in (("acem",), ("--release",), ("--reason", "why"), ("acem", "--release")):
        assert tollbook("account", "hold", *arguments).returncode == 64
    assert tollbook("account", "add", "acme").returncode == 0
    assert tollbook("account", "hold", "acme", "--release", "--reason", "why").returncode == 64


def test_the_archives_retention_keeps_what_is_held(settings: Settings, database: Connection) -> None:
    """Old months are dropped, except those of a held account; once the hold is lifted they are dropped, too."""
    for account_id in ("_held", "other"):
        tariffs.add_account(database, tariffs.Account(account_id=account_id, name=account_id, plan_id=None))
        store(database, call(f"old of {account_id}", account_id, OLD_MS))
    archive_now(settings)
    holds.place(database, "_held", by_whom="me", reason="")
    keeping = settings.model_copy(update={"archive_retention_months": 2})
    tried = str(compact_archive(keeping, now=NOW, dry_run=True))
    assert "would drop: months before 2026-09; kept, as they are held: those of _held" in tried
    done = str(compact_archive(keeping, now=NOW))
    assert "dropped: 1 rows of months before 2026-09; kept, as they are held: those of _held" in done
    assert [row[0] for row in archived(settings)] == ["old of _held"]
    holds.release(database, "_held", by_whom="me")
    assert compact_archive(keeping, now=NOW).dropped_rows == 1
    assert archived(settings) == []
