"""`tollbook prune` and `tollbook archive query` as an operator runs them: what is printed, and the exit codes."""

import csv
import io
import json
import re

import msgspec
import pytest

from tests.commands import Tollbook
from tests.databases import store
from tests.factories import DETAILS, call_row, price_of
from tollbook.model.details import DETAIL_COLUMNS
from tollbook.model.record import QUERIED_COLUMNS, Row
from tollbook.store.database import Connection
from tollbook.times import MS_PER_DAY, current_day, date_of

DAY = current_day() - 40


@pytest.fixture
def stored(database: Connection) -> list[Row]:
    """Two calls of forty days ago, not archived yet."""
    rows = [call_row(f"c{number}", start_ts=DAY * MS_PER_DAY + number, from_num='a "b"') for number in range(2)]
    database.autocommit = True
    store(database, *((row, price_of(row, 5)) for row in rows), with_legs=True)
    return rows


def test_prune_says_what_it_did(tollbook: Tollbook, stored: list[Row], database: Connection) -> None:
    """Archived, tried dry, pruned, and pruned again with nothing left to do; without a terminal there is no bar."""
    assert tollbook("archive", "run", "--now").returncode == 0
    dry = tollbook("prune", "--dry-run")
    assert (dry.returncode, dry.stderr) == (0, "")
    assert dry.stdout.splitlines() == [
        f"{date_of(DAY)}: 2 calls, verified in the archive",
        "would prune: 1 days of calls (2 calls that the archive holds), 0 days of legs, 0 late calls;"
        " 0 calls would move to the late ones",
    ]
    done = tollbook("prune")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{date_of(DAY)}: 2 calls, verified in the archive, dropped; 0 moved: open, not")
    assert database.execute("SELECT count(*) FROM call_cdr").fetchone() == (0,)
    assert tollbook("prune").stdout.startswith("pruned: 0 days of calls")
    lines = tollbook("archive", "query", "--account", "acme").stdout.splitlines()
    assert [json.loads(line)["call_id"] for line in lines] == ["c1", "c0"]


def test_a_refusal_names_the_day_the_call_and_the_way_out(
    tollbook: Tollbook, stored: list[Row], database: Connection
) -> None:
    """Exit code 65, and nothing is dropped; what it says to do is what helps."""
    tollbook("archive", "run", "--now")
    database.execute("UPDATE call_cdr SET cost_micros = 7 WHERE call_id = 'c1'")
    for options in ((), ("--dry-run",)):
        refused = tollbook("prune", *options)
        assert refused.returncode == 65
        assert f"{date_of(DAY)} is not dropped, nor any later day" in refused.stderr
        assert re.search(rf"call c1 of {date_of(DAY)}T.*Z on fs1 differs in cost_micros\n", refused.stderr)
        assert "Traceback" not in refused.stderr
    assert database.execute("SELECT count(*) FROM call_cdr").fetchone() == (2,)
    sent = tollbook("prune", "--send-again", str(date_of(DAY)))
    assert sent.stdout == "1 calls wait for the archive again: run `tollbook archive run`, then prune\n"
    tollbook("archive", "run", "--now")
    assert tollbook("prune").returncode == 0


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--send-again", "yesterday"), 64, "'yesterday' is not a day like 2026-12-01"),
        (("--send-again", "2026-01-01", "--dry-run"), 64, "leave --dry-run out"),
        (("--send-again", "1999-01-01"), 65, "PostgreSQL has no calls of 1999-01-01"),
    ],
)
def test_wrong_use_is_refused(tollbook: Tollbook, options: tuple[str, ...], code: int, message: str) -> None:
    done = tollbook("prune", *options)
    assert done.returncode == code
    assert message in done.stderr


def test_a_query_prints_json_lines_or_csv(tollbook: Tollbook, stored: list[Row]) -> None:
    """The same calls, newest first, with their currency and details; --since and --until cut them."""
    tollbook("archive", "run", "--now")
    price = {"cost_micros": 5, "currency": "EUR"}
    wanted = [
        {name: price[name] if name in price else getattr(row, name, None) for name in QUERIED_COLUMNS}
        for row in reversed(stored)
    ]
    lines = tollbook("archive", "query", "--account", "acme").stdout.splitlines()
    assert [json.loads(line) for line in lines] == wanted
    assert list(json.loads(lines[0])) == list(QUERIED_COLUMNS)
    table = list(csv.reader(io.StringIO(tollbook("archive", "query", "--all", "--csv").stdout, newline="")))
    assert table[0] == list(QUERIED_COLUMNS)
    assert table[1:] == [["" if value is None else str(value) for value in row.values()] for row in wanted]
    for cut in (("--until", str(date_of(DAY))), ("--since", str(date_of(DAY + 1)))):
        assert tollbook("archive", "query", "--account", "acme", *cut).stdout == ""


def test_a_query_prints_every_detail(tollbook: Tollbook, database: Connection) -> None:
    """As the switch states them: this command is the operator's. In JSON lines recordings and variables are JSON."""
    row = call_row("c", start_ts=DAY * MS_PER_DAY, details=DETAILS)
    database.autocommit = True
    store(database, (row, price_of(row, 5, destination="Germany")), with_legs=True)
    tollbook("archive", "run", "--now")
    shown = json.loads(tollbook("archive", "query", "--all").stdout)
    wanted = msgspec.structs.asdict(DETAILS) | {"recordings": list(DETAILS.recordings), "destination": "Germany"}
    assert {name: shown[name] for name in DETAIL_COLUMNS} == wanted
    (line,) = csv.DictReader(io.StringIO(tollbook("archive", "query", "--all", "--csv").stdout, newline=""))
    assert (line["gateway"], line["voicemail"], line["rx_mos"]) == ("carrier", "true", "4.41")
    assert json.loads(line["recordings"]) == list(DETAILS.recordings)


def test_no_csv_of_archived_calls_holds_a_formula(tollbook: Tollbook, database: Connection) -> None:
    """`archive query --csv` is for spreadsheets too; JSON lines are never changed."""
    row = call_row("c", start_ts=DAY * MS_PER_DAY, from_num="=cmd|1", to_num="Bob;\uff1d1", queue_id="+4930123456")
    database.autocommit = True
    store(database, (row, price_of(row, 5)), with_legs=True)
    tollbook("archive", "run", "--now")
    (line,) = csv.DictReader(io.StringIO(tollbook("archive", "query", "--all", "--csv").stdout, newline=""))
    assert (line["from_num"], line["to_num"], line["queue_id"]) == ("'=cmd|1", "Bob;'\uff1d1", "+4930123456")
    shown = json.loads(tollbook("archive", "query", "--all").stdout)
    assert (shown["from_num"], shown["to_num"]) == ("=cmd|1", "Bob;\uff1d1")
