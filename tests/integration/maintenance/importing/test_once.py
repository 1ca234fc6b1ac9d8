"""Each call once, in the tier of its time: whatever is imported again, was recorded by Tollbook, or was cut short."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from maintenance.archive.run import archive_calls
from maintenance.prune.run import prune_days
from rating.engine import Tariffs
from tests.commands import Running, Start, Tollbook
from tests.imported import NAMES, copied, master_line, records, v_xml_cdr
from tests.integration.maintenance.importing.past import NOON, archived, hot, line, stamp
from tests.paths import CALLS
from tests.recorded import recorded_legs
from tests.waiting import wait_until
from tollbook.config import Settings
from tollbook.model.fold import FoldSettings
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import connect
from tollbook.store.days.partitions import Partitions
from tollbook.store.days.window import read_window

HOW = ("--switch", "fs-old", "--timezone", "UTC")
CALL = "answer_beta_account"
A_LEG = records(CALL)[0][1]


def test_young_calls_are_in_postgresql_and_old_ones_in_the_archive(
    tollbook: Tollbook, tmp_path: Path, settings: Settings, database_url: str
) -> None:
    """In a new database, whose window begins with the import, each is found where readers look for it."""
    (tmp_path / "Master.csv").write_text("".join(line(f"c{days}", days) for days in (0, 10, 28, 40, 400)))
    done = tollbook("import", "cdr_csv", "Master.csv", *HOW)
    assert done.returncode == 0, done.stderr
    assert "5 calls written (3 to PostgreSQL, 2 to the archive)" in done.stdout
    assert [row["call_id"] for row in hot(database_url)] == ["c28", "c10", "c0"]
    assert [row["call_id"] for row in archived(settings)] == ["c400", "c40"]
    with connect(database_url, name="test") as connection:
        window = read_window(connection).start_ts
    assert all(row["start_ts"] >= window for row in hot(database_url))
    assert all(row["start_ts"] < window for row in archived(settings))
    every = hot(database_url) + archived(settings)
    assert {(row["account_id"], row["direction"], row["billsec"]) for row in every} == {("acme", "outbound", 60)}
    assert {row["imported"] for row in every} == {"cdr_csv Master.csv"}


def test_importing_again_or_more_changes_nothing_that_is_there(
    tollbook: Tollbook, tmp_path: Path, settings: Settings, database_url: str
) -> None:
    """The same file, and another export that overlaps it, in both tiers."""
    (tmp_path / "one.csv").write_text("".join(line(f"c{days}", days) for days in range(0, 60, 3)))
    (tmp_path / "two.csv").write_text("".join(line(f"c{days}", days, account="beta") for days in range(0, 60, 2)))
    assert tollbook("import", "cdr_csv", "one.csv", *HOW).returncode == 0
    rows, old = hot(database_url), archived(settings)
    assert "20 known already" in tollbook("import", "cdr_csv", "one.csv", *HOW).stdout
    assert (hot(database_url), archived(settings)) == (rows, old)
    assert "10 known already" in tollbook("import", "cdr_csv", "two.csv", *HOW).stdout
    both = hot(database_url) + archived(settings)
    assert Counter(row["call_id"] for row in both) == Counter(
        {f"c{days}" for days in (*range(0, 60, 3), *range(0, 60, 2))}
    )
    assert [row for row in hot(database_url) if row["account_id"] == "acme"] == rows


def test_a_call_of_several_files_of_one_run_is_there_once(
    tollbook: Tollbook, tmp_path: Path, database_url: str
) -> None:
    """mod_cdr_csv writes each call to Master.csv and to its account's file."""
    for name in ("Master.csv", "acme.csv"):
        (tmp_path / name).write_text(line("a") + line("b", 1))
    done = tollbook("import", "cdr_csv", "Master.csv", "acme.csv", *HOW)
    assert "4 records read, 2 calls written" in done.stdout, done.stderr
    assert "2 records state a leg that another one states" in done.stdout
    assert [(row["call_id"], row["imported"]) for row in hot(database_url)] == [
        ("b", "cdr_csv Master.csv"), ("a", "cdr_csv Master.csv"),
    ]  # fmt: skip


def recorded(url: str) -> None:
    """Let the listener have recorded the call."""
    with connect(url, name="test") as connection:
        write_batch(connection, recorded_legs(CALL), FoldSettings(), Tariffs(decks={}).price, Partitions())


FS_LAB = ("--switch", "fs-lab", "--timezone", "UTC")


@pytest.mark.usefixtures("young")
def test_a_call_that_the_listener_recorded_stays_as_it_is(
    tollbook: Tollbook, tmp_path: Path, database_url: str
) -> None:
    """Its row has ms, and the file seconds."""
    recorded(database_url)
    before = hot(database_url)
    (tmp_path / "Master.csv").write_text(master_line(A_LEG))
    done = tollbook("import", "cdr_csv", "Master.csv", *FS_LAB)
    assert "1 known already" in done.stdout, done.stdout + done.stderr
    assert hot(database_url) == before


@pytest.mark.usefixtures("young")
@pytest.mark.parametrize("later", ["listener", "recover"])
def test_what_the_switch_itself_says_later_takes_the_place_of_an_import(
    later: str, tollbook: Tollbook, tmp_path: Path, database_url: str
) -> None:
    """A batch that waited on disk meanwhile, or a CDR file: the call is there once, as the switch states it."""
    (tmp_path / "Master.csv").write_text(master_line(A_LEG))
    assert tollbook("import", "cdr_csv", "Master.csv", *FS_LAB).returncode == 0
    assert [row["start_ts"] % 1000 for row in hot(database_url)] == [0]
    if later == "listener":
        recorded(database_url)
    else:
        folder = tmp_path / "json"
        folder.mkdir()
        for file in (CALLS / CALL / "json_cdr").iterdir():
            shutil.copy(file, folder)
        assert tollbook("recover", "json").returncode == 0
    (row,) = hot(database_url)
    assert row["start_ts"] % 1000
    assert row["imported"] is None
    assert tollbook("import", "cdr_csv", "Master.csv", *FS_LAB).returncode == 0
    assert hot(database_url) == [row]


def test_a_call_that_was_archived_and_pruned_is_known(
    tollbook: Tollbook, tmp_path: Path, settings: Settings, database_url: str
) -> None:
    """Nothing of it is in PostgreSQL, not even its legs."""
    recorded(database_url)
    archive_calls(settings, now=True)
    with connect(database_url, name="test", autocommit=True) as connection:
        connection.execute("UPDATE call_cdr SET updated_ts = end_ts")
    prune_days(settings, today=NOON // 86_400 + 1000)
    assert hot(database_url) == []
    before = archived(settings)
    (tmp_path / "Master.csv").write_text(master_line(A_LEG))
    done = tollbook("import", "cdr_csv", "Master.csv", *FS_LAB)
    assert "1 known already" in done.stdout, done.stdout + done.stderr
    assert (hot(database_url), archived(settings)) == ([], before)


def test_a_wrong_zone_or_switch_is_refused_and_doubles_nothing(
    tollbook: Tollbook, tmp_path: Path, settings: Settings, database_url: str
) -> None:
    """Against what is in the window, and against what is in the archive."""
    (tmp_path / "Master.csv").write_text(line("young") + line("old", 100))
    assert tollbook("import", "cdr_csv", "Master.csv", *HOW).returncode == 0
    before = hot(database_url), archived(settings)
    for wrong, said in (
        (("--switch", "fs-old", "--timezone", "Asia/Kathmandu"), "5.75 h from this one"),
        (("--switch", "fs-new", "--timezone", "UTC"), "name it with `--switch fs-old`"),
    ):
        done = tollbook("import", "cdr_csv", "Master.csv", *wrong)
        assert done.returncode == 65, done.stdout + done.stderr
        assert (tmp_path / "data" / "imports" / "refused.csv").read_text().count(said) == 2
    assert (hot(database_url), archived(settings)) == before


@pytest.mark.usefixtures("young")
def test_exports_with_and_without_microseconds_give_each_call_once_in_one_run(
    tollbook: Tollbook, tmp_path: Path, database_url: str
) -> None:
    """The same legs have two times in one second. What states more counts, whichever file is named first."""
    (tmp_path / "columns.csv").write_text(copied(v_xml_cdr(NAMES)))
    (tmp_path / "json.csv").write_text(copied(v_xml_cdr(NAMES, with_json=True)))
    done = tollbook("import", "fusionpbx", "columns.csv", "json.csv", *FS_LAB)
    assert done.returncode == 0, done.stderr
    found = Counter((row["call_id"], row["start_ts"] // 1000) for row in hot(database_url))
    assert set(found.values()) == {1}
    assert {row["imported"] for row in hot(database_url)} == {"fusionpbx json.csv"}
    assert "134 records state a leg that another one states" in done.stdout


@pytest.mark.parametrize("days_ago", [0, 100])
@pytest.mark.parametrize("first", ["a", "b"])
def test_the_legs_of_a_call_that_are_imported_one_by_one_are_no_two_calls(
    first: str, days_ago: int, tollbook: Tollbook, tmp_path: Path, settings: Settings, database_url: str
) -> None:
    """As a rotation of Master.csv parts them with legs="ab": the later one is refused, in either tier and order.

    What is there stays known, and both in one command are one call.
    """
    legs = {"a": line("a", days_ago, bleg_uuid="b"), "b": line("b", days_ago, account="", bleg_uuid="a")}
    (tmp_path / "one.csv").write_text(legs.pop(first))
    ((other, text),) = legs.items()
    (tmp_path / "two.csv").write_text(text)
    assert tollbook("import", "cdr_csv", "one.csv", *HOW).returncode == 0
    before = hot(database_url), archived(settings)
    for dry in ((), ("--dry-run",)):
        done = tollbook("import", "cdr_csv", "two.csv", *HOW, *dry)
        assert done.returncode == 65, done.stdout + done.stderr
        refused = (tmp_path / "data" / "imports" / "refused.csv").read_text()
        assert f"its other leg, {first}, is there already" in refused
        assert f"uuid {other}" in refused
    assert "1 known already, 0 records refused" in tollbook("import", "cdr_csv", "one.csv", *HOW).stdout
    tollbook("import", "cdr_csv", "one.csv", "two.csv", *HOW)
    assert (hot(database_url), archived(settings)) == before


def test_a_leg_that_was_up_for_several_calls_hinders_none_of_them(
    tollbook: Tollbook, tmp_path: Path, database_url: str
) -> None:
    """As an agent's who waits off the hook. Its record is among those of the command, so nobody need ask the book."""
    (tmp_path / "one.csv").write_text(line("c1", bleg_uuid="agent") + line("agent"))
    (tmp_path / "two.csv").write_text(line("c2", bleg_uuid="agent"))
    assert tollbook("import", "cdr_csv", "one.csv", *HOW).returncode == 0
    for _ in range(2):
        done = tollbook("import", "cdr_csv", "one.csv", "two.csv", *HOW)
        assert done.returncode == 0, done.stdout + done.stderr
        assert sorted(row["call_id"] for row in hot(database_url)) == ["c1", "c2"]


@pytest.mark.parametrize("days_ago", [0, 100])
def test_a_call_by_the_clocks_of_two_zones_in_one_run_is_written_once(
    days_ago: int, tollbook: Tollbook, tmp_path: Path, settings: Settings, database_url: str
) -> None:
    """As between two runs: the second is refused, in either tier."""
    start = NOON - days_ago * 86_400 + 3600
    later = {"start_stamp": stamp(start), "answer_stamp": stamp(start + 5), "end_stamp": stamp(start + 65)}
    (tmp_path / "Master.csv").write_text(line("c", days_ago) + line("c", days_ago, **later))
    done = tollbook("import", "cdr_csv", "Master.csv", *HOW)
    assert done.returncode == 65, done.stdout + done.stderr
    assert [row["start_ts"] for row in hot(database_url) + archived(settings)] == [(start - 3600) * 1000]


def wait_for_more_rows(importing: Running, url: str) -> None:
    had = len(hot(url))
    wait_until(lambda: len(hot(url)) > had or importing.process.poll() is not None, 30)


def test_a_killed_import_is_run_again_and_writes_each_call_once(
    start: Start, tollbook: Tollbook, tmp_path: Path, settings: Settings, database_url: str
) -> None:
    """SIGKILL while it writes to PostgreSQL, some calls being archived before."""
    count = 1_500
    (tmp_path / "Master.csv").write_text(
        "".join(line(f"c{number}", 50 if number < 100 else number % 3) for number in range(count))
    )
    for _ in range(2):
        importing = start("import", "cdr_csv", str(tmp_path / "Master.csv"), *HOW)
        wait_for_more_rows(importing, database_url)
        importing.kill()
        assert importing.process.returncode == -9, importing.output
    done = tollbook("import", "cdr_csv", "Master.csv", *HOW)
    assert done.returncode == 0, done.stderr
    both = hot(database_url) + archived(settings)
    assert Counter(row["call_id"] for row in both) == Counter(f"c{number}" for number in range(count))
    assert {row["revision"] for row in both} == {1}
    assert not list((tmp_path / "data" / "imports").glob("staging*"))
