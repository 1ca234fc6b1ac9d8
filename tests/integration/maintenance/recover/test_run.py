"""`recover`: the switch's own CDR files, as they are found in a folder."""

import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import psycopg
import pytest
from psycopg.rows import dict_row

from maintenance.recover.json_cdr import leg_of_file
from maintenance.recover.run import recover_calls
from rating.engine import Tariffs
from tests.commands import Tollbook
from tests.paths import CALLS
from tollbook.config import Settings
from tollbook.errors import DataError, UsageError
from tollbook.model.event import header_names
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import end_as_lost
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import connect
from tollbook.store.days.partitions import Partitions

NAMES = sorted(folder.name for folder in CALLS.iterdir() if (folder / "json_cdr").is_dir())
HEADERS = header_names()


@pytest.fixture
def settings(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TOLLBOOK_DATABASE_URL", database_url)
    monkeypatch.setenv("TOLLBOOK_DATA_DIR", str(tmp_path))
    return Settings()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "json_cdr"
    made.mkdir()
    return made


def rows(url: str) -> dict[tuple[str, int], dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        found = connection.execute("SELECT * FROM call_cdr").fetchall()
    return {(row["call_id"], row["start_ts"]): row for row in found}


def shown(row: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    parts = [[part["direction"], part["number"], part["seconds"]] for part in row["parts"] or []]
    return {name: parts if name == "parts" else row[name] for name in like}


def test_the_files_alone_give_every_row(settings: Settings, folder: Path, database_url: str) -> None:
    """Calls without any event: all columns and all charges come from the switch's own files."""
    for name in NAMES:
        for file in (CALLS / name / "json_cdr").iterdir():
            shutil.copy(file, folder / f"{name}-{file.name}")
    files = len(list(folder.iterdir()))
    done = recover_calls(settings, folder)
    assert (done.files, done.refused, done.waiting) == (files, 0, 0)
    wanted = [row for name in NAMES for row in json.loads((CALLS / name / "rows.json").read_text())]
    found = rows(database_url)
    assert len(found) == len(wanted)
    for want in wanted:
        assert shown(found[want["call_id"], want["start_ts"]], want) == want
    assert not list(folder.glob("*.json"))
    assert len(list((folder / "done").iterdir())) == files


def test_the_a_legs_alone_give_times_and_the_b_legs_the_rest(
    settings: Settings, folder: Path, database_url: str
) -> None:
    """Without log-b-leg no file mentions the trunk; the B legs' files, if they come later, correct the row."""
    names = ("outbound_answered", "forward_inbound_to_mobile", "outbound_486_busy", "transfer_outbound_to_third_party")
    wanted = [row for name in names for row in json.loads((CALLS / name / "rows.json").read_text())]
    files = [file for name in names for file in (CALLS / name / "json_cdr").iterdir()]
    for a_legs in (True, False):
        for file in files:
            if file.name.startswith("a_") == a_legs:
                shutil.copy(file, folder)
        assert recover_calls(settings, folder).refused == 0
        found = rows(database_url)
        assert found.keys() == {(row["call_id"], row["start_ts"]) for row in wanted}
        for want in wanted:
            known = dict.fromkeys(("from_num", "end_ts", "disposition", "hangup_cause")) if a_legs else want
            assert shown(found[want["call_id"], want["start_ts"]], known) == {name: want[name] for name in known}


def test_a_price_that_a_file_replaces_is_kept(
    settings: Settings, folder: Path, database_url: str, tollbook: Tollbook, tmp_path: Path
) -> None:
    """The call was priced without its B leg, which went over the trunk; explain says what replaced that price."""
    rates = tmp_path / "rates.csv"
    rates.write_text("direction,prefix,per_min\noutbound,,0.06\ninternal,,0.01\n")
    assert tollbook("rates", "import", str(rates), "--plan", "retail", "--currency", "EUR").returncode == 0
    assert tollbook("account", "add", "acct_alpha", "--plan", "retail").returncode == 0
    files = (CALLS / "outbound_answered" / "json_cdr").iterdir()
    for file in sorted(files, key=lambda file: not file.name.startswith("a_")):
        shutil.copy(file, folder)
        recover_calls(settings, folder)
    ((call_id, cost),) = [(row["call_id"], row["cost_micros"]) for row in rows(database_url).values()]
    with psycopg.connect(database_url) as connection:
        ((before, cause),) = connection.execute("SELECT cost_micros, cause FROM price_history").fetchall()
    assert cause == "cdr_file"
    assert (before, cost) == (10_000, 60_000)
    assert re.search(r"^until 20\d\d-.* UTC: .*, replaced by a CDR file$", tollbook("explain", call_id).stdout, re.M)


def test_reading_twice_changes_nothing(settings: Settings, folder: Path, database_url: str) -> None:
    for _ in range(2):
        for file in (CALLS / "attended_transfer" / "json_cdr").iterdir():
            shutil.copy(file, folder)
        recover_calls(settings, folder)
    assert [row["revision"] for row in rows(database_url).values()] == [1]


def test_raw_values_say_the_same_as_encoded_ones() -> None:
    """encode-values may be off: then nothing may be decoded, or a caller's %0A would become a line break."""
    for name in NAMES:
        for file in (CALLS / name / "json_cdr").iterdir():
            record = json.loads(file.read_bytes())
            raw = {**record, "variables": {key: unquote(value) for key, value in record["variables"].items()}}
            assert leg_of_file(json.dumps(raw).encode(), HEADERS) == leg_of_file(file.read_bytes(), HEADERS)


def test_a_literal_percent_in_a_raw_file_stays() -> None:
    (file,) = (CALLS / "outbound_answered" / "json_cdr").glob("a_*")
    record = json.loads(file.read_bytes())
    raw = {**record, "variables": {key: unquote(value) for key, value in record["variables"].items()}}
    raw["variables"]["accountcode"] = "x%0Avariable_accountcode"
    leg = leg_of_file(json.dumps(raw).encode(), HEADERS)
    assert leg.end
    assert leg.end.account == "x%0Avariable_accountcode"


def test_invalid_utf8_is_read_as_far_as_it_goes() -> None:
    (file,) = (CALLS / "outbound_answered" / "json_cdr").glob("a_*")
    content = file.read_bytes().replace(b"acct_alpha", b"acct_\xe9")
    leg = leg_of_file(content, HEADERS)
    assert leg.end
    assert leg.end.account == "acct_\ufffd"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b"null", b'{"variables":{}}', b'{"variables":{},"callflow":[{}]}', b"\xff\xfe"]
)
def test_what_is_no_record_is_refused_with_a_reason(content: bytes) -> None:
    with pytest.raises(DataError, match=r"\w"):
        leg_of_file(content, HEADERS)


def test_a_file_still_being_written_waits_and_an_old_half_is_refused(settings: Settings, folder: Path) -> None:
    (whole,) = (CALLS / "outbound_answered" / "json_cdr").glob("a_*")
    half = whole.read_bytes()[:5000]
    (folder / "young.json").write_bytes(half)
    (folder / "old.json").write_bytes(half)
    hour_ago = time.time() - 3600
    os.utime(folder / "old.json", (hour_ago, hour_ago))
    (folder / "note.txt").write_text("not a CDR")
    done = recover_calls(settings, folder)
    assert (done.files, done.refused, done.waiting) == (1, 1, 1)
    assert sorted(path.name for path in folder.iterdir()) == ["note.txt", "refused", "young.json"]
    (folder / "young.json").write_bytes(whole.read_bytes())
    assert recover_calls(settings, folder).files == 1


def test_an_estimate_becomes_exact(settings: Settings, folder: Path, database_url: str) -> None:
    """A call closed as lost is completed again, unmarked, by the switch's own record."""
    files = list((CALLS / "outbound_answered" / "json_cdr").iterdir())
    (want,) = json.loads((CALLS / "outbound_answered" / "rows.json").read_text())
    with connect(database_url, name="test") as connection:
        for file in files:
            leg = leg_of_file(file.read_bytes(), HEADERS)
            gone = end_as_lost(
                type(leg)(switch=leg.switch, uid=leg.uid, created_us=leg.created_us, create=leg.create), 0
            )
            write_batch(connection, [gone], FoldSettings(), Tariffs().price, Partitions())
    (before,) = rows(database_url).values()
    assert (before["disposition"], before["estimated"]) == ("lost", True)
    for file in files:
        shutil.copy(file, folder)
    recover_calls(settings, folder)
    (after,) = rows(database_url).values()
    assert shown(after, want) == want
    assert (after["estimated"], after["revision"]) == (False, before["revision"] + 1)


def test_a_folder_that_is_none_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="log-dir"):
        recover_calls(settings, tmp_path / "nowhere")
