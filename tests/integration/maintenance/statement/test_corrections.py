"""What an issued month becomes later: credits and debits of the next statement, and what is none."""

import datetime as dt

import pytest

from maintenance.compaction.run import compact_archive
from maintenance.erase.preview import EraseRequest
from maintenance.erase.run import erase_calls
from tests.integration.maintenance.statement.months import AUGUST, GERMANY, OCTOBER, SEPTEMBER, Book, at, lines_of
from tollbook.errors import Retryable, UsageError
from tollbook.store.statements.billing import BillingChange, change


def test_what_is_frozen_is_corrected_once_by_the_next_statement(book: Book) -> None:
    """Dearer, another destination, late, moved away: credits and debits, exact, and never doubled."""
    for name in ("same", "dearer", "moved", "renamed", "other"):
        book.put(name, "2026-08-05")
    august = book.issue(AUGUST)
    assert lines_of(august) == {GERMANY: (5, 300, 50_000)}
    book.prune()
    book.put("dearer", "2026-08-05", 12_345)
    book.put("renamed", "2026-08-05", 9_000, destination="France")
    book.put("moved", "2026-08-05", account_id="other")
    book.put("late", "2026-08-31T23:59", 77)
    changed = {
        GERMANY: (-1, -60, -17_655 + 77 - 10_000 + 7_655 + 2_345 - 77 + 77),
        ("outbound", "France"): (1, 60, 9_000),
    }
    changed[GERMANY] = (5 - 1 - 1 + 1 - 5, -60, 12_345 + 10_000 + 10_000 + 77 - 50_000)
    september = book.issue(SEPTEMBER)
    assert lines_of(september, "correction") == changed
    assert lines_of(september) == {}
    book.archive()
    book.prune()
    assert lines_of(book.show(OCTOBER), "correction") == {}
    book.put("dearer", "2026-08-05", 12_000)
    october = book.issue(OCTOBER)
    assert lines_of(october, "correction") == {GERMANY: (0, 0, -345)}
    assert lines_of(book.issue(AUGUST, "other")) == {GERMANY: (1, 60, 10_000)}
    assert book.show(AUGUST) == august


def test_a_row_that_is_deleted_is_a_credit(book: Book) -> None:
    """Its legs belong to another call: once the archive has it no more, and before."""
    book.put("gone", "2026-08-05")
    book.issue(AUGUST)
    book.archive()
    book.database.execute(
        "WITH gone AS (DELETE FROM call_cdr RETURNING start_ts, call_id, switch, account_id)"
        " INSERT INTO archive_outbox (start_ts, call_id, switch, account_id, deleted)"
        " SELECT start_ts, call_id, switch, account_id, true FROM gone"
    )
    credit = {GERMANY: (-1, -60, -10_000)}
    assert lines_of(book.show(SEPTEMBER), "correction") == credit
    book.prune()
    assert lines_of(book.issue(SEPTEMBER), "correction") == credit


def test_erased_calls_are_neither_credited_nor_charged_again(book: Book) -> None:
    """A month that lost calls to an erasure says so, once; its later corrections are exact again."""
    erasure = EraseRequest(
        account_id="acme", number="+49301112223", until_ts=at("2026-11-01"), by_whom="me", reason="",
        cdr_dirs=(), keep_numbers=False,
    )  # fmt: skip
    book.put("kept", "2026-08-05")
    book.put("erased", "2026-08-06", from_num="+49301112223")
    book.issue(AUGUST)
    book.prune()
    erase_calls(book.settings, erasure)
    # As when it was killed, and went on after the statement was issued.
    book.database.execute("UPDATE erasure SET begun_at = begun_at - interval '1 day'")
    september = book.issue(SEPTEMBER)
    assert lines_of(september, "erased") == {GERMANY: (-1, -60, -10_000)}
    assert lines_of(september, "correction") == {}
    assert september.totals == ()
    book.put("kept", "2026-08-05", 11_000)
    october = book.issue(OCTOBER)
    assert lines_of(october, "erased") == {}
    assert lines_of(october, "correction") == {GERMANY: (0, 0, 1_000)}


def test_nothing_is_issued_while_calls_are_erased(book: Book) -> None:
    """Half of them may be gone. An erasure that ended before the calls were read is no excuse for a change."""
    book.put("a", "2026-08-05")
    book.put("b", "2026-08-05")
    book.issue(AUGUST)
    book.database.execute(
        "INSERT INTO erasure (account_id, of_number, number, until_ts, by_whom, reason)"
        " VALUES (NULL, true, '4930', 0, 'me', '')"
    )
    book.put("b", "2026-08-05", account_id="other")
    assert lines_of(book.show(SEPTEMBER), "erased") == {GERMANY: (-1, -60, -10_000)}
    with pytest.raises(Retryable, match="calls are being erased"):
        book.issue(SEPTEMBER)
    done = "UPDATE erasure SET number = NULL, calls = 0, keys_sha256 = '', finished_at = now() - interval '1 day'"
    book.database.execute(done)
    assert lines_of(book.issue(SEPTEMBER), "correction") == {GERMANY: (-1, -60, -10_000)}


def test_an_erasure_of_others_calls_is_none_of_this_account(book: Book) -> None:
    """A number was erased, whoever paid; no call of acme had it, so what acme lost is a credit."""
    book.put("a", "2026-08-10")
    book.put("z", "2026-08-12", account_id="other", to_num="+4477000111")
    book.archive()
    book.issue(AUGUST)
    erasure = EraseRequest(
        account_id=None, number="+4477000111", until_ts=at("2026-08-25"), by_whom="me", reason="",
        cdr_dirs=(), keep_numbers=False,
    )  # fmt: skip
    erase_calls(book.settings, erasure)
    book.put("a", "2026-08-10", account_id="other")
    assert lines_of(book.issue(SEPTEMBER), "correction") == {GERMANY: (-1, -60, -10_000)}


@pytest.mark.parametrize("between", [False, True])
def test_a_month_that_the_archive_dropped_is_not_credited(book: Book, between: bool) -> None:
    """Nor a part of it that was, of another month in UTC; whatever the retention is where the statement is made."""
    change(book.database, "acme", BillingChange(zone="Europe/Berlin"))
    book.put("a", "2026-07-31T23:00", 1_000_000)
    for month in (8, 9, 10):
        book.put(f"c{month}", f"2026-{month:02}-10", 1_000)
    book.prune()
    assert lines_of(book.issue(AUGUST)) == {GERMANY: (2, 120, 1_001_000)}
    short = book.settings.model_copy(update={"archive_retention_months": 3})
    compact_archive(short, now=dt.datetime(2026, 11, 29, tzinfo=dt.UTC))
    september = book.issue(SEPTEMBER)
    assert (lines_of(september, "correction"), september.not_compared) == ({}, (AUGUST,))
    if between:
        october = book.issue(OCTOBER)
        assert (lines_of(october, "correction"), october.not_compared) == ({}, ())


def test_a_month_of_which_calls_were_dropped_is_not_issued(book: Book) -> None:
    """Nor drafted; an account that has a book goes on with the first month that is whole."""
    book.put("a", "2026-07-31T23:00", 1_000_000)
    book.put("b", "2026-08-10", 1_000)
    book.put("d", "2026-10-10", 1_000)
    book.issue("2026-05")
    book.prune()
    short = book.settings.model_copy(update={"archive_retention_months": 3})
    compact_archive(short, now=dt.datetime(2026, 11, 29, tzinfo=dt.UTC))
    for month in ("2026-06", "2026-07"):
        with pytest.raises(UsageError, match=f"retention has dropped calls of {month}"):
            book.issue(month)
    assert lines_of(book.issue(AUGUST)) == {GERMANY: (1, 60, 1_000)}


@pytest.mark.parametrize("september", [None, "2026-09-02", "2026-09-25"])
def test_the_first_month_of_an_installation_is_not_lost(book: Book, september: str | None) -> None:
    """Before its first call there was none; nothing was ever dropped, and a late call is charged."""
    book.put("a", "2026-08-20")
    book.issue(AUGUST)
    book.put("late", "2026-08-21", 12_000)
    if september:
        book.put("b", september)
    book.put("o", "2026-09-10", account_id="other")
    book.prune()
    issued = book.issue(SEPTEMBER)
    assert issued.not_compared == ()
    assert lines_of(issued, "correction") == {GERMANY: (1, 60, 12_000)}
