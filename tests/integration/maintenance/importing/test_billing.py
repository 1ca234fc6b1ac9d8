"""What was billed by the system that a call comes from is not billed again, unless that is asked for."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from maintenance.archive.run import archive_calls
from tests.commands import Tollbook
from tests.integration.maintenance.importing.past import NOON, archived, hot, line
from tollbook.config import Settings

HOW = ("--switch", "fs-old", "--timezone", "UTC")
MONTH, MONTH_BEFORE = (f"{dt.datetime.fromtimestamp(NOON - days * 86_400, dt.UTC):%Y-%m}" for days in (0, 60))


@pytest.fixture
def acme(tollbook: Tollbook, tmp_path: Path) -> Tollbook:
    """An account whose plan prices the calls, also those of the past."""
    (tmp_path / "deck.csv").write_text("prefix,name,per_min\n44,United Kingdom,0.06\n")
    for arguments in (
        ("rates", "import", "deck.csv", "--plan", "retail", "--currency", "EUR"),
        ("account", "add", "acme", "--plan", "retail"),
    ):
        done = tollbook(*arguments)
        assert done.returncode == 0, done.stderr
    (tmp_path / "Master.csv").write_text(line("young") + line("old", 60))
    return tollbook


def costs(settings: Settings, url: str) -> list[tuple[str, Any]]:
    """What each call costs, in PostgreSQL and then in the archive."""
    return [(row["call_id"], row["cost_micros"]) for row in (*hot(url), *archived(settings))]


def statement(acme: Tollbook, month: str = MONTH) -> dict[str, Any]:
    done = acme("statement", "--account", "acme", "--month", month, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["statement"]


def test_imported_calls_have_no_price_and_are_in_no_statement(
    acme: Tollbook, settings: Settings, database_url: str
) -> None:
    """Nor does a re-rate of what is unrated price them, in either tier."""
    assert acme("import", "cdr_csv", "Master.csv", *HOW).returncode == 0
    assert costs(settings, database_url) == [("young", None), ("old", None)]
    assert acme("rerate", "--unrated", "--reason", "test").returncode == 0
    assert acme("rerate", "--account", "acme", "--reason", "test").returncode == 0
    assert costs(settings, database_url) == [("young", None), ("old", None)]
    for month in (MONTH, MONTH_BEFORE):
        assert (statement(acme, month)["lines"], statement(acme, month)["uncounted"]) == ([], [])


def test_with_price_they_are_priced_as_any_call(acme: Tollbook, settings: Settings, database_url: str) -> None:
    """By the decks in force when they began."""
    assert acme("import", "cdr_csv", "Master.csv", *HOW, "--price").returncode == 0
    assert costs(settings, database_url) == [("young", 60_000), ("old", 60_000)]
    assert [line["destination"] for line in statement(acme)["lines"]] == ["United Kingdom"]


def test_with_price_a_call_that_has_none_is_refused_until_there_is_a_rate(
    acme: Tollbook, tmp_path: Path, settings: Settings, database_url: str
) -> None:
    """Written without a price it would be in no statement, and no re-rate would find it."""
    wanted = {"destination_number": "4930123456"}
    (tmp_path / "more.csv").write_text(line("a", **wanted) + line("b", 60, **wanted) + line("c"))
    done = acme("import", "cdr_csv", "more.csv", *HOW, "--price")
    assert done.returncode == 65, done.stderr
    assert costs(settings, database_url) == [("c", 60_000)]
    said = (tmp_path / "data" / "imports" / "refused.csv").read_text()
    assert said.count("it has no price: no rate for") == 2
    (tmp_path / "deck.csv").write_text("prefix,name,per_min\n44,United Kingdom,0.06\n49,Germany,0.03\n")
    assert acme("rates", "import", "deck.csv", "--plan", "retail").returncode == 0
    assert acme("import", "cdr_csv", "more.csv", *HOW, "--price").returncode == 0
    assert costs(settings, database_url) == [("a", 30_000), ("c", 60_000), ("b", 30_000)]


def test_each_tier_says_where_a_call_comes_from(acme: Tollbook, settings: Settings, database_url: str) -> None:
    """`explain` names the file and the format, and what the format does not state; archiving keeps the mark."""
    assert acme("import", "cdr_csv", "Master.csv", *HOW).returncode == 0
    archive_calls(settings, now=True)
    assert [row["imported"] for row in archived(settings)] == ["cdr_csv Master.csv"] * 2
    for call_id in ("young", "old"):
        said = " ".join(acme("explain", call_id).stdout.split())
        assert "imported from Master.csv (cdr_csv)" in said
        assert "does not state trunks" in said
    assert hot(database_url)[0]["unrated"] == "imported: the system that it comes from has billed it"
