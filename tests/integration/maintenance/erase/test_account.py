"""`tollbook account erase ACCOUNT`: afterwards nothing has a byte of its calls, and nothing else is different."""

import hashlib
import json
import stat

import pytest
from pyiceberg.serializers import FromInputFile

from maintenance.compaction.run import compact_archive
from maintenance.erase import run as erase_run
from maintenance.erase.preview import preview
from maintenance.erase.run import erase_calls
from maintenance.prune.run import prune_days
from maintenance.rerate.run import RerateRequest, rerate_calls
from tests.archiving import archive_now, archived, stored, waiting
from tests.databases import store
from tests.everywhere import places_of
from tests.factories import FOR_EVER_MS, UP
from tests.integration.maintenance.erase.filled import FIRST, OURS, TODAY, fill, of_acme, request
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.errors import AccountHeld, ArchiveError, Retryable, UsageError
from tollbook.spool_files import dead_letter_folder, segment_path, spool_folders
from tollbook.store import holds
from tollbook.store.command_lock import hold_lock
from tollbook.store.database import Connection
from tollbook.store.locks import RERATE_LOCK
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY


@pytest.fixture
def filled(local_settings: Settings, database: Connection) -> Settings:
    """An archive on local files."""
    return fill(local_settings, database)


def everything_of_other(settings: Settings, database: Connection) -> list[object]:
    """Rows of all tables and of the archive; of `moved-o`, which is acme's call by now, not the price from before."""
    tables = ("call_cdr", "price_history", "archive_outbox")
    rows: list[object] = [
        database.execute(
            f"SELECT * FROM {table} WHERE account_id = 'other' AND call_id <> 'moved-o' ORDER BY start_ts, call_id"
        ).fetchall()
        for table in tables
    ]
    legs = database.execute("SELECT * FROM call_leg WHERE call_id NOT LIKE '%acme%' ORDER BY uid").fetchall()
    return [*rows, legs, archived(settings, "other"), stored(database, "other")]


def archive_all_but_acme(settings: Settings, database: Connection) -> None:
    """So that what the erasure archives first is there before it: other's rows can then be compared whole."""
    archive_now(settings)
    assert waiting(database) == 0


def test_no_byte_is_left_anywhere_and_all_else_is_equal(settings: Settings, database: Connection) -> None:
    """Dump, every file of the warehouse and of the data directory; rows of the other account, in all tables."""
    filled = fill(settings, database)
    before_everything = places_of(filled, *OURS)
    assert {"database"} < before_everything
    archive_all_but_acme(filled, database)
    before = everything_of_other(filled, database)
    assert len(before[-1]) > 10
    report = erase_calls(filled, request())
    assert places_of(filled, *OURS) == set()
    assert everything_of_other(filled, database) == before
    assert archived(filled, "acme") == stored(database, "acme") == []
    assert report.erasure.calls == 33
    assert [path.name for path in dead_letter_folder(filled.data_dir).iterdir()] == ["leg-other.json"]
    assert tariffs.number_owners(database) == {"4930555": "other"}


def test_the_archive_has_one_state_and_no_file_that_it_does_not_name(filled: Settings, database: Connection) -> None:
    """No old snapshot, no earlier metadata that has one, and no orphan of any age."""
    erase_calls(filled, request())
    with open_catalog(filled) as catalog:
        table = load_calls(catalog)
        assert table is not None
        assert len(table.metadata.snapshots) == 1
        earlier = [FromInputFile.table_metadata(table.io.new_input(entry.metadata_file))
                   for entry in table.metadata.metadata_log]  # fmt: skip
        assert [metadata.snapshots for metadata in earlier] == [table.metadata.snapshots] * 2
        assert table.properties["write.metadata.previous-versions-max"] == "100"
        names = {str(partition["partition"]["account_id"]) for partition in table.inspect.files().to_pylist()}
    assert names == {"other"}
    assert compact_archive(filled, remove_orphans=True).orphans.files == ()  # pyright: ignore[reportOptionalMemberAccess]


def test_prune_and_the_archiver_go_on(filled: Settings, database: Connection) -> None:
    """The tiers agree on every day that is left."""
    erase_calls(filled, request())
    assert archive_now(filled).startswith("archived:")
    assert prune_days(filled, today=TODAY + 40).days > 0
    assert {row[0] for row in archived(filled)} >= {"o1", "moved", "waits-o"}


def test_the_receipt_says_what_and_not_whose_number(filled: Settings, database: Connection) -> None:
    """As a file and in the database; the hash is that of the keys, which a client that holds the calls can repeat."""
    archive_all_but_acme(filled, database)
    keys = {(row[5], row[0]) for row in (*archived(filled, "acme"), *stored(database, "acme"))}
    lines = "".join(f"{start_ts}\t{call_id}\tfs1\n" for start_ts, call_id in sorted(keys))
    report = erase_calls(filled, request())
    receipt = json.loads(report.receipt.read_bytes())

    assert receipt["keys_sha256"] == hashlib.sha256(lines.encode()).hexdigest()
    assert (receipt["account_id"], receipt["by_whom"], receipt["reason"]) == ("acme", "me@here", "ticket 7")
    assert receipt["calls"] == len(keys)
    assert receipt["finished_ts"] >= receipt["begun_ts"]
    counts = receipt["counts"]
    assert (counts["legs"], counts["dead letters"], counts["owned numbers"]) == (2, 1, 1)
    assert min(counts["rows"], counts["old prices"], counts["archive files"]) > 2
    assert stat.S_IMODE(report.receipt.stat().st_mode) == 0o640
    both = "SELECT (SELECT count(*) FROM erasure_call), (SELECT count(*) FROM erasure_file)"
    left = database.execute(both).fetchone()
    assert left == (0, 0)


def test_calls_that_come_later_are_new_calls(filled: Settings, database: Connection) -> None:
    """Of the same account and numbers; also one with the id of an erased one, and one that was up meanwhile."""
    store(database, of_acme("still up", TODAY - 1, answer_ts=None, answered=0, **UP))
    assert preview(filled, request()).open == 1
    erase_calls(filled, request())
    assert [row[0] for row in stored(database, "acme")] == ["still up"]
    store(database, of_acme("a29", TODAY), of_acme("still up", TODAY - 1))
    archive_now(filled)
    assert sorted(row[0] for row in archived(filled, "acme")) == ["a29", "still up"]
    assert erase_calls(filled, request(until_ts=(TODAY + 1) * MS_PER_DAY)).erasure.calls == 2


def test_only_what_started_before_the_erasure_goes(filled: Settings, database: Connection) -> None:
    """Of a data file that has later calls too, those stay."""
    middle = (FIRST + 31) * MS_PER_DAY
    archive_all_but_acme(filled, database)
    later = [row for row in archived(filled, "acme") if row[5] >= middle]  # pyright: ignore[reportOperatorIssue]
    assert later
    erase_calls(filled, request(until_ts=middle))
    assert archived(filled, "acme") == later


def test_under_a_hold_it_is_refused(filled: Settings, database: Connection) -> None:
    """The message says how to lift it; nothing is removed, and afterwards it works."""
    holds.place(database, "acme", by_whom="court", reason="case 9")
    for act in (preview, erase_calls):
        with pytest.raises(AccountHeld, match=r"court.*case 9.*--release"):
            act(filled, request())
    assert database.execute("SELECT count(*) FROM erasure").fetchone() == (0,)
    holds.release(database, "acme", by_whom="court")
    assert erase_calls(filled, request()).erasure.calls == 33


def test_no_hold_is_placed_on_an_account_whose_erasure_has_begun(
    filled: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was cut short; the hold would promise what is not so."""

    def fails(*_: object) -> int:
        raise ArchiveError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(erase_run, "remove_some", fails)
        with pytest.raises(ArchiveError):
            erase_calls(filled, request())
    with pytest.raises(UsageError, match="is not finished"):
        holds.place(database, "acme", by_whom="me", reason="")
    erase_calls(filled, request(reason="another"))
    holds.place(database, "acme", by_whom="me", reason="")
    assert database.execute("SELECT count(*), min(reason) FROM erasure").fetchone() == (1, "ticket 7")


def test_it_waits_for_nothing_that_could_bring_calls_back(
    filled: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Legs on disk, a re-rate: it says what is in the way, and begins nothing."""
    spool = spool_folders(filled.data_dir)[0]
    spool.mkdir()
    segment_path(spool, 1).write_bytes(b"x")
    with pytest.raises(Retryable, match="legs wait"):
        erase_calls(filled, request())
    segment_path(spool, 1).unlink()
    monkeypatch.setattr("maintenance.erase.run._WAIT_S", 0.1)
    # The lock, whatever the session calls itself: a pooler may hide its name.
    with (
        hold_lock(database_url, number=RERATE_LOCK, name="somebody", wait_s=1),
        pytest.raises(Retryable, match="somebody"),
    ):
        erase_calls(filled, request())


def test_calls_are_not_priced_again_while_they_are_erased(
    filled: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a re-rate has read before would be written once more; to look what it would change is allowed."""
    monkeypatch.setattr("maintenance.rerate.run._WAIT_S", 0.1)
    asked = RerateRequest(
        accounts=(), plan=None, since=0, until=FOR_EVER_MS, unrated=False, by_whom="me", reason="r", options=""
    )
    with hold_lock(database_url, number=RERATE_LOCK, name="an erasure", wait_s=1):
        with pytest.raises(Retryable, match="an erasure"):
            rerate_calls(filled, asked, dry_run=False)
        rerate_calls(filled, asked, dry_run=True)


def test_an_account_may_keep_its_numbers(filled: Settings, database: Connection) -> None:
    """A customer who stays: calls to its numbers are still its own."""
    erase_calls(filled, request(keep_numbers=True))
    assert tariffs.number_owners(database)["49301112223"] == "acme"


def test_an_account_without_calls_gives_a_receipt_too(local_settings: Settings, database: Connection) -> None:
    """Also before anything was archived."""
    report = erase_calls(local_settings, request("nobody"))
    assert report.erasure.calls == 0
    assert report.receipt.exists()


def test_a_sync_is_told_of_every_erased_call_once(filled: Settings, database: Connection) -> None:
    """Also of those that only the archive had; of no other account's."""
    archive_all_but_acme(filled, database)
    ids = sorted({str(row[0]) for row in (*archived(filled, "acme"), *stored(database, "acme"))})
    database.execute("DELETE FROM call_gone")
    erase_calls(filled, request())
    told = database.execute("SELECT call_id, account_id FROM call_gone ORDER BY call_id").fetchall()
    assert told == [(call_id, "acme") for call_id in ids]
