"""Statements out of both tiers: exact, and issued once."""

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.databases import NewDatabase, dump, restore
from tests.factories import BUSY, UP
from tests.integration.maintenance.statement.months import AUGUST, GERMANY, OCTOBER, SEPTEMBER, Book, at, lines_of
from tollbook.config import Settings
from tollbook.errors import ArchiveForked, DataError, Retryable, UsageError
from tollbook.statements.issue import issuing
from tollbook.statements.statement import freeze
from tollbook.store.statements.billing import BillingChange, change
from tollbook.store.statements.issued import accounts_without


def test_a_statement_is_the_sum_over_both_tiers_before_and_after_every_prune(book: Book) -> None:
    """By direction and destination, to the micro: in PostgreSQL, archived too, pruned in part, and wholly."""
    for day in range(1, 32):
        book.put(f"a{day}", f"2026-10-{day:02}T12:00", 10_001)
        book.put(f"b{day}", f"2026-10-{day:02}T13:00", 7, destination="France", billsec=59)
    book.put("busy", "2026-10-03", 0, destination=None, **BUSY)
    book.put("in", "2026-10-04", 33, direction="inbound", destination="Freephone")
    book.put("before", "2026-09-30T23:59:59.999")
    book.put("after", "2026-11-01")
    book.put("hers", "2026-10-05", account_id="other")
    expected = {
        GERMANY: (31, 31 * 60, 31 * 10_001), ("outbound", "France"): (31, 31 * 59, 31 * 7),
        ("outbound", None): (1, 0, 0), ("inbound", "Freephone"): (1, 60, 33),
    }  # fmt: skip
    assert lines_of(book.show(OCTOBER)) == expected
    book.archive()
    assert lines_of(book.show(OCTOBER)) == expected
    assert book.prune() == 24
    assert lines_of(book.show(OCTOBER)) == expected
    book.database.execute("UPDATE hot_window SET window_start = %s", (at("2026-11-05"),))  # as `archive attach` does
    assert lines_of(book.show(OCTOBER)) == expected


def test_a_month_is_one_of_the_accounts_time_zone(book: Book) -> None:
    """A call belongs to the month of its start there; the zone of the account goes before the setting."""
    book.put("last", "2026-10-31T23:30")
    assert lines_of(book.show(OCTOBER)) == {GERMANY: (1, 60, 10_000)}
    change(book.database, "acme", BillingChange(zone="Europe/Berlin"))
    october = book.show(OCTOBER)
    assert lines_of(october) == {}
    assert (october.from_ts, october.until_ts) == (at("2026-09-30T22:00"), at("2026-10-31T23:00"))


def test_a_change_of_zone_leaves_no_call_out_and_counts_none_twice(book: Book) -> None:
    """The next period begins where the last one ended."""
    change(book.database, "acme", BillingChange(zone="Asia/Tokyo"))
    book.put("between", "2026-09-30T20:00")
    assert book.issue(SEPTEMBER).until_ts == at("2026-09-30T15:00")
    change(book.database, "acme", BillingChange(zone="UTC"))
    october = book.issue(OCTOBER)
    assert october.from_ts == at("2026-09-30T15:00")
    assert lines_of(october) == {GERMANY: (1, 60, 10_000)}


def test_what_is_open_or_unrated_is_named_and_charged_when_it_has_a_price(book: Book) -> None:
    """It is in no line, it is counted by month and named; when it ends or is priced, it is a debit of its month."""
    book.put("open", "2026-09-30T23:00", **UP)
    book.put("unrated", "2026-09-02", None)
    book.put("old", "2026-09-01", None)
    book.archive()
    september = book.issue(SEPTEMBER)
    assert lines_of(september) == {}
    (uncounted,) = september.uncounted
    assert (uncounted.open, uncounted.unrated, uncounted.unrated_billsec) == (1, 2, 120)
    assert [call.call_id for call in september.uncounted_calls] == ["old", "unrated", "open"]
    book.put("open", "2026-09-30T23:00", 70)
    book.put("unrated", "2026-09-02", 5)
    book.prune()
    october = book.issue(OCTOBER)
    assert lines_of(october, "correction", SEPTEMBER) == {GERMANY: (2, 120, 75)}
    assert [(some.month, some.unrated) for some in october.uncounted] == [(SEPTEMBER, 1)]
    assert [call.call_id for call in october.uncounted_calls] == ["old"]


def test_amounts_of_two_currencies_and_the_taxes_of_each_month(book: Book) -> None:
    """A total for each currency; a correction has the taxes of the month that it corrects, as they were then."""
    change(book.database, "acme", BillingChange(taxes="VAT=19"))
    book.put("euro", "2026-08-05", 10_005_000)
    book.issue(AUGUST)
    change(book.database, "acme", BillingChange(taxes="VAT=20,City=1.5"))
    book.put("euro", "2026-08-05", 20_005_000)
    book.put("new", "2026-09-05", 1_000_000)
    book.put("yen", "2026-09-06", 1_500_000)
    book.database.execute("UPDATE call_cdr SET currency = 'JPY' WHERE call_id = 'yen'")
    euro, yen = book.issue(SEPTEMBER).totals
    assert (euro.currency, euro.net, euro.total) == ("EUR", "11.00", "13.12")
    assert [(tax.name, tax.rate, tax.net, tax.tax) for tax in euro.taxes] == [
        ("VAT", "19", "10.00", "1.90"), ("VAT", "20", "1.00", "0.20"), ("City", "1.5", "1.00", "0.02"),
    ]  # fmt: skip
    assert (yen.currency, yen.net, yen.total) == ("JPY", "2", "2")


def test_issuing_again_returns_what_was_issued(book: Book) -> None:
    """Byte for byte, whatever has changed since; the number counts on without a gap."""
    book.put("a", "2026-08-05")
    first = book.issuer.issue("acme", AUGUST)
    book.put("a", "2026-08-05", 99)
    change(book.database, "acme", BillingChange(name="Another name", taxes="VAT=19"))
    again = book.issuer.issue("acme", AUGUST)
    assert (
        (again.content, again.sha256)
        == (first.content, first.sha256)
        == (freeze(first.statement).content, first.sha256)
    )
    assert first.statement.number == "T-000001"
    assert book.issue(SEPTEMBER).number == "T-000002"
    assert book.issue(AUGUST, "other").number == "T-000003"


def test_an_account_without_calls_and_statements_needs_none(book: Book) -> None:
    """One that had a statement goes on, also in a month without calls."""
    assert book.issuer.issue_if_any("acme", AUGUST) is None
    book.put("a", "2026-08-05")
    august = book.issuer.issue_if_any("acme", AUGUST)
    assert august is not None
    assert lines_of(august.statement) == {GERMANY: (1, 60, 10_000)}
    assert book.issuer.issue_if_any("acme", AUGUST) == august
    september = book.issuer.issue_if_any("acme", SEPTEMBER)
    assert september is not None
    assert (september.statement.number, september.statement.lines) == ("T-000002", ())


def test_what_cannot_be_issued(book: Book, settings: Settings) -> None:
    """A month that is not over, has no issuer, skips one, comes before the first, or has amounts without a currency."""
    book.put("a", "2026-09-05")
    book.issue(SEPTEMBER)
    with pytest.raises(UsageError, match="the next statement of acme is that of 2026-10"):
        book.issue(AUGUST)
    with pytest.raises(UsageError, match="the next statement of acme is that of 2026-10"):
        book.issue("2026-11")
    with pytest.raises(UsageError, match="has not begun"):
        book.issue("2999-01")
    with pytest.raises(UsageError, match="no account 'nobody'"):
        book.issue(SEPTEMBER, "nobody")
    with (
        issuing(settings.model_copy(update={"issuer_name": ""})) as nobody,
        pytest.raises(UsageError, match="TOLLBOOK_ISSUER_NAME"),
    ):
        nobody.issue("acme", OCTOBER)
    book.put("b", "2026-10-05")
    book.database.execute("UPDATE call_cdr SET currency = NULL WHERE call_id = 'b'")
    with pytest.raises(DataError, match="without a currency"):
        book.issue(OCTOBER)
    assert book.database.execute("SELECT count(*) FROM statement").fetchone() == (1,)


def test_a_month_is_issued_a_day_after_its_end(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, the command says when to run it again."""
    clock = at("2026-11-01T23:59")
    monkeypatch.setattr("tollbook.statements.issue.time.time_ns", lambda: clock * 1_000_000)
    with pytest.raises(Retryable, match=re.escape("2026-10 can be issued from 2026-11-02 (UTC) on")):
        book.issue(OCTOBER)
    clock = at("2026-11-02")
    assert book.issue(OCTOBER).issued_ts == clock


def test_who_lacks_a_statement(book: Book) -> None:
    """For `tollbook doctor`: accounts that have a book, and not those that have none."""
    assert accounts_without(book.database, OCTOBER) == (0, None)
    book.issue(AUGUST)
    book.issue(SEPTEMBER)
    book.issue(AUGUST, "other")
    assert accounts_without(book.database, OCTOBER) == (2, "acme")
    assert accounts_without(book.database, SEPTEMBER) == (1, "other")
    assert accounts_without(book.database, AUGUST) == (0, None)


@pytest.mark.parametrize("change", ["UPDATE statement SET number = 7", "DELETE FROM statement", "TRUNCATE statement"])
def test_an_issued_statement_cannot_be_changed(book: Book, change: Any) -> None:
    """Not by hand either."""
    book.issue(AUGUST)
    with pytest.raises(psycopg.errors.RaiseException, match="never changed or deleted"):
        book.database.execute(change)


def test_a_dump_has_the_statements_and_keeps_them_frozen(book: Book, new_database: NewDatabase, tmp_path: Path) -> None:
    """With the trigger, and the hash that PostgreSQL checks as it takes them back."""
    first = book.issuer.issue("acme", AUGUST)
    dump(book.settings.require_database_url(), tmp_path / "dump")
    with new_database() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        restore(url, tmp_path / "dump")
        with psycopg.connect(url, autocommit=True) as connection:
            assert connection.execute("SELECT content, sha256 FROM statement").fetchall() == [
                (first.content.decode(), first.sha256)
            ]
            with pytest.raises(psycopg.errors.RaiseException, match="never changed or deleted"):
                connection.execute("DELETE FROM statement")


def test_a_restored_database_issues_nothing_until_it_is_attached(book: Book) -> None:
    """Its calls may be those of yesterday; a draft is shown all the same."""
    book.put("a", "2026-08-05")
    book.database.execute("UPDATE database_history SET restored_at = now(), restored_how = 'a test said so'")
    with pytest.raises(ArchiveForked, match="tollbook archive attach"):
        book.issue(AUGUST)
    assert lines_of(book.show(AUGUST)) == {GERMANY: (1, 60, 10_000)}
