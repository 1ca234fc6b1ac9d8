"""`tollbook archive verify`: it finds every damage, says whose calls it has, and writes again what PostgreSQL has."""

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from maintenance.archive.files import data_files
from maintenance.archive.run import archive_calls
from maintenance.prune.run import prune_days
from tests.archiving import MONTH, archive_as_before, archive_now, archived, stored, waiting
from tests.commands import Done, environment, run_here
from tests.databases import store
from tests.factories import START_MS, call
from tests.integration.maintenance.verify.damages import (
    cut_off,
    file_of,
    flipped_in_a_page,
    flipped_in_the_footer,
    loaded,
    missing,
    read,
    write,
)
from tollbook.config import Settings
from tollbook.errors import ArchiveDamaged
from tollbook.model.call_key import CallKey
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY

Verify = Callable[..., Done]


@pytest.fixture
def verify(settings: Settings, database_url: str) -> Verify:
    """Run the command; the settings of pyiceberg are those of the test."""
    catalog = {key: value for key, value in os.environ.items() if key.startswith(("PYICEBERG_", "AWS_"))}
    ours = environment(database_url=database_url, data_dir=str(settings.data_dir))

    def run(*options: str) -> Done:
        return run_here(("archive", "verify", *options), ours | catalog, settings.data_dir)

    return run


@pytest.fixture
def filled(settings: Settings, database: Connection) -> Settings:
    """Acme's calls of September and August, and beta's of September."""
    store(database, call("a1"), call("a2", start_ts=START_MS + 5 * MS_PER_DAY), call("b1", "beta"), with_legs=True)
    store(database, call("a3", start_ts=START_MS - MONTH), call("none", None), with_legs=True)
    archive_now(settings)
    return settings


def test_a_sound_archive(filled: Settings, database: Connection, verify: Verify) -> None:
    done = verify()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("sound: 4 files with 5 calls read; 4 proved by their digests, 0 unproved")
    assert "; 3 days compared" in done.stdout
    store(database, call("a4"))
    archive_calls(filled, now=True)
    assert "5 proved" in verify().stdout
    assert verify("--account", "acme", "--month", "2026-08").stdout.startswith("sound: 1 files with 1 calls read")
    assert verify("--month", "august").returncode == 64


@pytest.mark.parametrize("harm", [missing, cut_off, flipped_in_a_page, flipped_in_the_footer])
def test_damage_is_found_and_healed_while_postgresql_has_the_calls(
    filled: Settings, database: Connection, verify: Verify, harm: Callable[[Table, DataFile], None]
) -> None:
    """The other files are left alone; healed, every call is there once, and all is proved again."""
    with loaded(filled) as table:
        file = file_of(table, "acme")
        harm(table, file)
    done = verify()
    assert done.returncode == 74
    assert f"DAMAGED  {file.file_path}" in done.stdout
    assert "  2 calls of account acme, 2026-09-21T14:13:20.123Z to 2026-09-26T14:13:20.123Z" in done.stdout
    assert "PostgreSQL still has these days: `tollbook archive verify --heal`" in done.stdout
    found = json.loads(verify("--json").stdout)
    assert (found["sound"], found["proved"], found["unproved"]) == (False, 3, 0)
    assert [(file["account_id"], file["month"], file["calls"], file["heals"]) for file in found["damaged"]] == [
        ("acme", "2026-09", 2, "postgresql")
    ]
    assert verify("--account", "beta").returncode == 0
    healed = verify("--heal")
    assert (healed.returncode, "works again after runs that failed" in healed.stderr) == (0, True)
    assert f"HEALED  {file.file_path}" in healed.stdout
    assert archived(filled) == stored(database)
    assert waiting(database) == 0
    assert verify().stdout.startswith("sound: 4 files with 5 calls read; 4 proved")


def test_what_postgresql_no_longer_has_is_named_and_stays(
    filled: Settings, database: Connection, verify: Verify
) -> None:
    """Nothing is removed; a copy put back heals it. What can be healed beside it is healed."""
    before = archived(filled)
    prune_days(filled, today=START_MS // MS_PER_DAY + 20)  # August goes, September stays
    with loaded(filled) as table:
        old, new = file_of(table, "acme", 1), file_of(table, "beta")
        copy = read(table, old.file_path)
        cut_off(table, old)
        missing(table, new)
    done = verify("--heal")
    assert done.returncode == 74
    assert f"DAMAGED  {old.file_path}" in done.stdout
    assert "1 calls of account acme, 2026-08-21T" in done.stdout
    assert "copy the file back to the same place" in done.stdout
    assert f"HEALED  {new.file_path}" in done.stdout
    with loaded(filled) as table:
        assert old.file_path in {file.file_path for file in data_files(table)}
        assert len(read(table, old.file_path)) == len(copy) - 1
        write(table, old.file_path, copy)
    assert verify().stdout.startswith("sound: 4 files")
    assert archived(filled) == before


@pytest.mark.parametrize(("never", "account"), [("b2", "beta"), ("a5", "acme")])
def test_a_database_with_fewer_calls_than_the_file_had_removes_nothing(
    filled: Settings, database: Connection, verify: Verify, never: str, account: str
) -> None:
    """The file may have the only copy. Calls that were never archived stand for no lost one, whosever they are."""
    database.execute("DELETE FROM call_cdr WHERE call_id = 'a2'")
    for billsec in (60, 61):  # corrected before it is archived for the first time
        store(database, call(never, account, start_ts=START_MS + 2 * MS_PER_DAY, billsec=billsec))
    with loaded(filled) as table:
        file = file_of(table, "acme")
        flipped_in_the_footer(table, file)
    done = verify("--heal")
    assert done.returncode == 74
    assert f"DAMAGED  {file.file_path}" in done.stdout
    assert "copy the file back" in done.stdout
    assert waiting(database) == 1
    with loaded(filled) as table:
        assert file.file_path in {listed.file_path for listed in data_files(table)}


@pytest.mark.parametrize("change", [{"billsec": 61}, {"account_id": "beta"}, None])
def test_a_call_that_is_corrected_when_its_file_is_damaged_counts(
    filled: Settings, database: Connection, verify: Verify, change: dict[str, Any] | None
) -> None:
    """The archive has an earlier form of it; corrected twice or deleted, it is the same."""
    for cost in (5, 6):
        if change is not None:
            store(database, call("a1", cost_micros=cost, **change))
    if change is None:
        call_rows.delete(database, [CallKey(START_MS, "a1", "fs1")])
    with loaded(filled) as table:
        flipped_in_the_footer(table, file_of(table, "acme"))
    assert verify("--heal").returncode == 0
    assert archived(filled) == stored(database)
    assert waiting(database) == 0


def test_a_restored_database_removes_nothing_before_the_archive_is_attached(
    filled: Settings, database: Connection, verify: Verify
) -> None:
    database.execute("UPDATE database_history SET restored_at = now(), restored_how = 'went back'")
    with loaded(filled) as table:
        file = file_of(table, "acme")
        flipped_in_the_footer(table, file)
    done = verify("--heal")
    assert done.returncode == 78
    assert f"DAMAGED  {file.file_path}" in done.stdout
    assert "went back: `tollbook archive attach`" in done.stderr
    assert waiting(database) == 0
    with loaded(filled) as table:
        assert file.file_path in {listed.file_path for listed in data_files(table)}


def test_a_correction_that_damage_stopped_goes_on_after_healing(
    filled: Settings, database: Connection, verify: Verify
) -> None:
    """The batch was claimed before the damage was met; one of its calls moves to another account."""
    store(database, call("a1", "beta"), call("a5"))
    with loaded(filled) as table:
        missing(table, file_of(table, "acme"))
    with pytest.raises(ArchiveDamaged):
        archive_calls(filled, now=True)
    assert verify("--heal").returncode == 0
    assert archived(filled) == stored(database)
    assert waiting(database) == 0


def test_days_on_which_the_tiers_differ(filled: Settings, database: Connection, verify: Verify) -> None:
    """What each tier has, and what heals each kind of difference."""
    database.execute("UPDATE call_cdr SET cost_micros = 1 WHERE call_id = 'b1'")
    done = verify()
    assert done.returncode == 74
    assert "DIFFERS  2026-09-21" in done.stdout
    assert "account beta: PostgreSQL has 1 calls, 60 s, 1 micros" in done.stdout
    assert "seconds or prices differ: if PostgreSQL is right, `tollbook prune --send-again 2026-09-21`" in done.stdout
    assert "lacks" not in done.stdout
    assert verify("--account", "acme").returncode == 0
    database.execute("DELETE FROM call_cdr WHERE call_id = 'a2'")
    done = verify("--account", "acme")
    assert "PostgreSQL lacks calls: `tollbook archive restore 2026-09-26`" in done.stdout
    assert "--send-again" not in done.stdout
    store(database, call("a4", start_ts=START_MS + 5 * MS_PER_DAY), call("a5", start_ts=START_MS + 5 * MS_PER_DAY))
    database.execute("DELETE FROM archive_outbox")
    done = verify("--account", "acme")
    assert "the archive lacks calls: `tollbook prune --send-again 2026-09-26`" in done.stdout


def test_a_restored_database_may_lead_to_an_older_state(filled: Settings, database: Connection, verify: Verify) -> None:
    """It says so first, and calls nothing sound; so does a copy whose catalog went back, and nothing is changed."""
    before = database.execute("SELECT identity, restored_at FROM database_history").fetchall()
    (filled.data_dir / "history.json").write_text(json.dumps({"identity": "another/1/2", "highest": 7}))
    database.execute("UPDATE database_history SET identity = 'another/1/2'")
    done = verify()
    assert done.returncode == 78
    assert done.stdout.startswith("RESTORED  this database was made on another server")
    assert "\nATTACH FIRST, nothing else is wrong: 4 files with 5 calls read" in done.stdout
    assert json.loads(verify("--json").stdout)["restored"].startswith("this database was made on another server")
    database.execute("UPDATE database_history SET identity = %s, restored_at = %s", before[0])
    (filled.data_dir / "history.json").unlink()
    assert verify().returncode == 0
    database.execute("UPDATE archive_commit SET commit_id = gen_random_uuid()")
    done = verify()
    assert (done.returncode, done.stdout.startswith("RESTORED  the archive at ")) == (78, True)


def test_an_account_that_is_not_there(filled: Settings, database: Connection, verify: Verify) -> None:
    """It is no sound one; one without calls in the archive is, and so is one of calls that was never added."""
    refused = verify("--account", "acne")
    assert (refused.returncode, "there is no account 'acne'" in refused.stderr) == (64, True)
    tariffs.add_account(database, tariffs.Account(account_id="new", name="new", plan_id=None))
    store(database, call("unadded", "unadded"))
    for account in ("new", "unadded", "acme"):
        assert verify("--account", account).returncode == 0


def test_a_damaged_list_of_files_is_named(filled: Settings, verify: Verify) -> None:
    with loaded(filled) as table:
        snapshot = table.current_snapshot()
        assert snapshot is not None
        (manifest,) = snapshot.manifests(table.io)
        copy = read(table, manifest.manifest_path)
        write(table, manifest.manifest_path, copy[:-10])
    done = verify("--heal")
    assert done.returncode == 74
    assert f"DAMAGED  {manifest.manifest_path}\n  has {len(copy) - 10} bytes, not {len(copy)}" in done.stdout
    with loaded(filled) as table:
        write(table, manifest.manifest_path, copy)
    assert verify().returncode == 0


def test_files_without_digests_are_unproved_and_no_archive_is_sound(
    settings: Settings, database: Connection, verify: Verify
) -> None:
    assert verify().stdout.startswith("sound: 0 files")
    store(database, call("a1"))
    archive_as_before(settings, database, "currency")
    done = verify()
    assert done.returncode == 0
    assert "0 proved by their digests, 1 unproved" in done.stdout
