"""`recover` and calls whose legs are pruned: what the archive lacks is added, the rest is too late."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from maintenance.archive.run import archive_calls
from maintenance.prune.run import prune_days
from maintenance.recover.run import recover_calls
from rating.engine import Tariffs
from tests.paths import CALLS
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.pages import read_all
from tollbook.config import Settings
from tollbook.errors import ArchiveLost
from tollbook.model.accounts import EveryAccount
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Facts, Leg
from tollbook.model.selection import Selection
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import connect
from tollbook.store.days.partitions import Partitions
from tollbook.store.days.window import read_window
from tollbook.times import MS_PER_DAY, US_PER_DAY

NAME = "attended_transfer"  # one call of three legs
WANTED = json.loads((CALLS / NAME / "rows.json").read_text())
START = WANTED[0]["start_ts"]
FOR_EVER = 4_000_000_000_000


@pytest.fixture
def settings(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TOLLBOOK_DATABASE_URL", database_url)
    monkeypatch.setenv("TOLLBOOK_DATA_DIR", str(tmp_path))
    # The recordings are pruned here as if it were two months later; batches go by the clock.
    monkeypatch.setattr("tollbook.store.calls.batch._SURELY_WHOLE_MS", -400 * MS_PER_DAY)
    return Settings()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "json_cdr"
    made.mkdir()
    return made


def put(folder: Path, name: str = NAME) -> list[Path]:
    """Lay a recording's files into the folder."""
    return [Path(shutil.copy(file, folder)) for file in sorted((CALLS / name / "json_cdr").iterdir())]


def forget(settings: Settings) -> None:
    """Move the window on until the legs of the recording's day are gone: by a call of five days later."""
    created = START * 1000 + 5 * US_PER_DAY
    said = Facts(at_us=created, channel="sofia/internal/1000", hangup_us=created, cause="NORMAL_CLEARING")
    leg = Leg(switch="fs-lab", uid="later", created_us=created, seen_us=created, create=said, end=said)
    with connect(settings.require_database_url(), name="test") as connection:
        write_batch(connection, [leg], FoldSettings(), Tariffs(decks={}).price, Partitions())
    archive_calls(settings, now=True)
    prune_days(settings, today=START // MS_PER_DAY + 60)
    with connect(settings.require_database_url(), name="test") as connection:
        assert read_window(connection).leg_us > START * 1000


def archived(settings: Settings) -> dict[tuple[Any, Any], tuple[object, ...]]:
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        rows = list(read_all(table, Selection(accounts=EveryAccount(), since=0, until=FOR_EVER)))
    found = {(row[0], row[5]): row for row in rows}
    assert len(found) == len(rows)  # no key twice
    return found


def key(row: dict[str, Any]) -> tuple[Any, Any]:
    return (row["call_id"], row["start_ts"])


@pytest.mark.parametrize("left", [[0], [1], [2], [0, 1, 2]])
def test_no_part_of_an_archived_call_replaces_it(settings: Settings, folder: Path, left: list[int]) -> None:
    """Whichever of its files comes again after its legs are gone: they are listed, and the archive stays as it is."""
    put(folder)
    recover_calls(settings, folder)
    forget(settings)
    before = archived(settings)
    assert key(WANTED[0]) in before
    files = put(folder)
    for number, file in enumerate(files):
        if number not in left:
            file.unlink()
    done = recover_calls(settings, folder)
    assert (done.legs, done.late, done.refused) == (0, len(left), 0)
    assert f"{len(left)} too late, moved to late/" in str(done)
    assert len(list((folder / "late").iterdir())) == len(left)
    archive_calls(settings, now=True)
    assert archived(settings) == before


def test_a_call_that_the_archive_lacks_is_added(settings: Settings, folder: Path) -> None:
    """Nobody heard it, and its files are found months later: it is archived, whole."""
    forget(settings)
    put(folder)
    done = recover_calls(settings, folder)
    assert (done.files, done.late, done.refused) == (3, 0, 0)
    archive_calls(settings, now=True)
    row = archived(settings)[key(WANTED[0])]
    for name, at in (("end_ts", 7), ("duration_sec", 8), ("billsec", 9), ("disposition", 11)):
        assert row[at] == WANTED[0][name]
    assert not list(folder.glob("*.json"))


def test_a_leg_that_is_read_before_its_call_is_added_with_it(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches of one file, and the call's first leg the last of them."""
    monkeypatch.setattr("maintenance.recover.run.BATCH_FILES", 1)
    forget(settings)
    files = put(folder)
    for number, file in enumerate(sorted(files, key=lambda file: WANTED[0]["call_id"] in file.name)):
        file.rename(folder / f"{number}.json")
    done = recover_calls(settings, folder)
    assert (done.files, done.late) == (3, 0)
    archive_calls(settings, now=True)
    assert archived(settings)[key(WANTED[0])][9] == WANTED[0]["billsec"]


def test_an_archive_out_of_reach_leaves_the_files_where_they_are(settings: Settings, folder: Path) -> None:
    """`recover` runs on the switch's machine, perhaps without the archive: what needs none is done."""
    forget(settings)
    put(folder)
    (folder / "unreadable.json").write_text("{}")
    os.utime(folder / "unreadable.json", (0, 0))  # too old to be still being written
    os.rename(settings.data_dir / "archive", settings.data_dir / "elsewhere")
    with pytest.raises(ArchiveLost, match="is missing"):
        recover_calls(settings, folder)
    assert len(list(folder.glob("*.json"))) == 3
    assert [file.name for file in (folder / "refused").iterdir()] == ["unreadable.json"]
    os.rename(settings.data_dir / "elsewhere", settings.data_dir / "archive")
    assert recover_calls(settings, folder).late == 0
    assert not list(folder.glob("*.json"))
