"""The archive has what PostgreSQL has, once, whatever happens between claim, commit and acknowledge."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from maintenance.archive.batch import parse
from maintenance.archive.commit import commit, holds
from maintenance.archive.run import archive_calls, batches, finish_batch
from maintenance.archive.table import ensure_table
from maintenance.archive_cli import archive
from tests.archiving import MONTH, archive_all, archive_now, archived, claim, stored, waiting
from tests.databases import store
from tests.factories import DETAILS, FOR_EVER_MS, START_MS, call, call_row, price_of
from tollbook.archive._pyarrow import read_table
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.pages import read_all
from tollbook.archive.schema import archived_account
from tollbook.config import Settings
from tollbook.errors import ArchiveError, SchemaError
from tollbook.model.accounts import EveryAccount
from tollbook.model.call_key import CallKey
from tollbook.model.charge import PricedCharge
from tollbook.model.details import DETAIL_COLUMNS
from tollbook.model.record import COLUMNS, Record
from tollbook.model.selection import Selection
from tollbook.model.tiers import KEYED_COLUMNS, read_columns
from tollbook.store import outbox
from tollbook.store.calls.pages import read_page
from tollbook.store.database import Connection
from tollbook.store.outbox_rows import read_csv
from tollbook.times import MS_PER_DAY


@pytest.fixture
def settings(settings_on_both: Settings) -> Settings:
    """On S3 in `make test` too."""
    return settings_on_both


def test_both_tiers_have_the_same_rows(settings: Settings, database: Connection) -> None:
    odd = 'quote " comma , line\nbreak \r tab\t \\N \\. backslash \\ Ünïcödé 🙂'
    store(
        database,
        call("plain"),
        call("no account", None),
        call("unicode", "Müller & Söhne/50%", from_num=odd, queue_id=odd, agent_id=odd, hangup_cause=""),
        call("unrated", "unknown", cost_micros=None),
        call("unanswered", answer_ts=None, answered=0, billsec=0, cost_micros=0, queue_id="support"),
        call("named like none", "_none"),
        call("long account", "x" * 400),
        call("large", cost_micros=2**60),
        call("same time b", start_ts=START_MS + 5),
        call("same time a", start_ts=START_MS + 5),
        call("reused id"),
        call("reused id", start_ts=START_MS + 1),
        call("next month", start_ts=START_MS + MONTH),
    )
    assert archive_now(settings).startswith("archived: 13 rows appended, 0 replaced, 0 deleted")
    assert waiting(database) == 0
    assert archived(settings) == stored(database)
    for account in ("acme", "_none", "Müller & Söhne/50%", "x" * 400, "nobody"):
        assert archived(settings, account) == stored(database, account)
    assert len(COLUMNS) == len(archived(settings)[0])


@pytest.mark.parametrize("most", [1, 2, 3, 4, 100])
def test_every_row_that_is_due_is_claimed_once_however_batches_split_accounts(database: Connection, most: int) -> None:
    names = ["a", "b", "b", "b", "c", "_", None, None]
    store(database, *(call(f"call-{number}", name) for number, name in enumerate(names)))
    at = outbox.moment(database)
    accounts = [due.account_id for due in outbox.accounts_waiting(database, at=at, before=at, rows=1, oldest_s=0)]
    claimed = [
        (batch.rows, outbox.acknowledge(database, batch.batch_id))
        for batch in batches(database, [], accounts, at, most=most)
    ]
    assert waiting(database) == 0
    whole, rest = divmod(len(names), most)
    assert claimed == [(most, most)] * whole + [(rest, rest)] * (rest > 0)


def test_a_run_leaves_nothing_that_fell_out_of_its_batches(database: Connection) -> None:
    """A table that is written anew has the rows elsewhere: those of the accounts before are asked for once more."""
    store(database, *(call(f"call-{number}", name) for number, name in enumerate(["a", "b", "c", None])))
    at = outbox.moment(database)
    accounts = [due.account_id for due in outbox.accounts_waiting(database, at=at, before=at, rows=1, oldest_s=0)]
    claimed: list[tuple[int, int]] = []
    for batch in batches(database, [], accounts, at, most=3):
        if not claimed:
            database.execute("VACUUM FULL archive_outbox")
        claimed.append((batch.rows, outbox.acknowledge(database, batch.batch_id)))
    assert claimed == [(3, 0), (2, 2), (2, 2)]
    assert waiting(database) == 0


def test_parts_revision_switch_and_estimated_are_archived_too(settings: Settings, database: Connection) -> None:
    store(database, call("c1", estimated=True))
    archive_now(settings)
    with open_catalog(settings) as catalog:
        (row,) = read_table(ensure_table(catalog, database)).to_pylist()
    assert (row["revision"], row["switch"], row["estimated"]) == (1, "fs1", True)
    parts = msgspec.json.decode(row["parts"], type=list[PricedCharge])
    assert parts == [
        PricedCharge(direction="outbound", number="+4930123456", seconds=21_000, cost_micros=21_000, rate="Germany")
    ]


def test_both_tiers_have_the_same_details(settings: Settings, database: Connection) -> None:
    """Of a call with all of them and of one with none; what comes late replaces what is archived."""
    row, price = call("all", details=DETAILS, trunk_root=True)
    assert price is not None
    store(database, (row, msgspec.structs.replace(price, destination="Germany, mobile")), call("none"), call("late"))
    archive_now(settings)
    assert in_full(settings) == in_full(database)
    assert [row[:2] for row in in_full(settings)] == [("none", None), ("late", None), ("all", "callee")]
    store(database, call("late", details=DETAILS))
    assert archive_now(settings).startswith("archived: 0 rows appended, 1 replaced")
    assert in_full(settings) == in_full(database)


def in_full(tier: Settings | Connection) -> list[Record]:
    """All calls of a tier, newest first, with every detail and what else is archived."""
    selection = Selection(accounts=EveryAccount(), since=0, until=FOR_EVER_MS)
    columns = read_columns(("call_id", *DETAIL_COLUMNS, "trunk_root", "parts", "currency", "revision"))
    if isinstance(tier, Settings):
        with open_catalog(tier) as catalog:
            table = load_calls(catalog)
            assert table is not None
            rows = list(read_all(table, selection, columns=columns))
    else:
        rows = read_page(tier, selection, columns, 1000)
    return [(row[0], *row[len(KEYED_COLUMNS) :]) for row in rows]


def test_a_second_run_appends_nothing(settings: Settings, database: Connection) -> None:
    store(database, call("c1"), call("c2"))
    archive_now(settings)
    store(database, call("c1"), call("c2"))  # the same again
    assert archive_now(settings) == "archived: 0 rows appended, 0 replaced, 0 deleted, 0 files"
    assert archived(settings) == stored(database)


def test_the_table_is_partitioned_by_account_and_month_and_each_file_is_sorted(
    settings: Settings, database: Connection
) -> None:
    store(
        database,
        *(call(f"{name}{day}", name, START_MS + day * MS_PER_DAY) for name in ("a", "b") for day in (20, 0, 3, 1)),
        call("none", None),
    )
    assert archive_all(settings).committed.files == 5
    with open_catalog(settings) as catalog:
        table = ensure_table(catalog, database)
        partitions = {
            (found["partition"]["account_id"], found["partition"]["start_ts_month"], found["record_count"])
            for found in table.inspect.partitions().to_pylist()
        }
        september = (2026 - 1970) * 12 + 8
        assert partitions == {
            (archived_account(None), september, 1),
            *((name, month, count) for name in ("a", "b") for month, count in ((september, 3), (september + 1, 1))),
        }
        rows = read_table(table).to_pylist()  # file after file
    for name in ("a", "b"):
        assert [row["call_id"] for row in rows if row["account_id"] == name and "20" not in row["call_id"]] == [
            f"{name}0", f"{name}1", f"{name}3",
        ]  # fmt: skip


def test_a_kill_after_the_claim_loses_nothing(settings: Settings, database: Connection) -> None:
    store(database, call("c1"), call("c2"))
    assert claim(database) is not None
    store(database, call("c2", disposition="lost"))
    assert archive_now(settings) == "archived: 2 rows appended, 0 replaced, 0 deleted, 2 files"
    assert archived(settings) == stored(database)


def test_a_kill_between_commit_and_acknowledge_duplicates_nothing(settings: Settings, database: Connection) -> None:
    store(database, call("c1"), call("c2"))
    batch = claim(database)
    assert batch is not None
    with open_catalog(settings, writing=True) as catalog:
        commit(ensure_table(catalog, database), batch.batch_id, parse(read_csv(database, batch)))
    store(database, call("c1", disposition="lost"), call("c3"))
    assert archive_now(settings) == (
        "archived: 1 rows appended, 1 replaced, 0 deleted, 1 files, 1 batches found written by an earlier run"
    )
    assert archived(settings) == stored(database)
    assert waiting(database) == 0


@pytest.mark.parametrize("killed_in", ["acknowledge", "commit", "read_csv"])
def test_a_killed_process_is_repaired_by_the_next_run(
    settings: Settings, database: Connection, database_url: str, killed_in: str
) -> None:
    store(database, *(call(f"c{number}", f"account {number % 3}") for number in range(30)))
    program = f"""
        import os, signal, sys
        from maintenance.archive import run as archiver
        from tollbook.store import outbox
        place = outbox if "{killed_in}" == "acknowledge" else archiver
        setattr(place, "{killed_in}", lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
        from tollbook.config import load_settings
        archiver.archive_calls(load_settings(), now=True)
    """
    environment = {**os.environ, "TOLLBOOK_DATABASE_URL": database_url, "TOLLBOOK_DATA_DIR": str(settings.data_dir)}
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], env=environment, check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert waiting(database) == 30
    done = archive_all(settings)
    assert (done.committed.appended, done.repaired) == ((0, 1) if killed_in == "acknowledge" else (30, 0))
    assert archived(settings) == stored(database)
    assert waiting(database) == 0


def test_a_commit_on_a_stale_load_is_refused_and_not_repeated(settings: Settings, database: Connection) -> None:
    store(database, call("c1"))
    batch = claim(database)
    assert batch is not None
    content = parse(read_csv(database, batch))
    with open_catalog(settings, writing=True) as catalog:
        first, second = ensure_table(catalog, database), ensure_table(catalog, database)
        assert not holds(second, batch.batch_id)
        commit(first, batch.batch_id, content)
        with pytest.raises(ArchiveError, match="nothing is lost"):
            commit(second, batch.batch_id, content)
        assert finish_batch(database, catalog, batch) is None
    assert archived(settings) == stored(database)


def test_a_run_is_split_into_batches(database: Connection) -> None:
    store(database, *(call(f"c{number}") for number in range(7)))
    sizes = [batch.rows for batch in iter(lambda: claim(database, limit=3), None)]
    assert sizes == [3, 3, 1]
    assert sum(batch.rows for batch in outbox.unfinished_batches(database)) == 7


def test_pages_follow_each_other_by_key(settings: Settings, database: Connection) -> None:
    store(database, *(call(f"c{number}", start_ts=START_MS + number // 3) for number in range(20)))
    archive_now(settings)
    pages: list[Record] = []
    after = None
    while page := archived(settings, "acme", after=after, limit=7):
        pages += page
        after = CallKey(page[-1][5], page[-1][0], "fs1")
    assert pages == stored(database)
    assert archived(settings, "acme", since=START_MS + 1, until=START_MS + 2) == stored(database)[-6:-3]


def test_an_archive_that_was_never_written_has_no_table(settings: Settings) -> None:
    with open_catalog(settings) as catalog:
        assert load_calls(catalog) is None


def test_the_currency_is_archived_with_the_price(settings: Settings, database: Connection) -> None:
    """Accounts change their plans, and an amount without its currency means nothing."""
    row = call_row("c2")
    store(database, call("c1"), (row, price_of(row, currency=None)))
    archive_now(settings)
    with open_catalog(settings) as catalog:
        rows = read_table(ensure_table(catalog, database)).to_pylist()
    assert {row["call_id"]: row["currency"] for row in rows} == {"c1": "EUR", "c2": None}


def test_a_table_of_another_shape_is_refused(settings: Settings, database: Connection) -> None:
    store(database, call("c1"))
    archive_now(settings)
    with open_catalog(settings) as catalog:
        with ensure_table(catalog, database).update_spec() as change:
            change.add_identity("direction")
        with pytest.raises(SchemaError, match="other columns or partitions"):
            ensure_table(catalog, database)


def test_the_command_says_what_it_did(
    settings: Settings, database: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(database, call("c1"))
    monkeypatch.setenv("TOLLBOOK_DATABASE_URL", database_url)
    monkeypatch.setenv("TOLLBOOK_DATA_DIR", str(settings.data_dir))
    assert "0 rows appended" in CliRunner().invoke(archive, ["run"], catch_exceptions=False).output
    assert "1 rows appended" in CliRunner().invoke(archive, ["run", "--now"], catch_exceptions=False).output


def test_a_warehouse_that_cannot_be_written_is_one_clear_error(
    local_settings: Settings, database: Connection, tmp_path: Path
) -> None:
    store(database, call("c1"))
    (tmp_path / "archive").write_text("a file where the folder should be")
    with pytest.raises(ArchiveError, match=r"failed: .*nothing is lost"):
        archive_calls(local_settings, now=True)
    (tmp_path / "archive").unlink()
    archive_now(local_settings)
    assert archived(local_settings) == stored(database)
