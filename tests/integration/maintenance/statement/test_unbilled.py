"""Which calls of a month nobody is billed for: counted by cause as the month is issued, and listed by a command."""

import pytest

from maintenance.sums.run import build_unbuilt
from tests.commands import Tollbook
from tests.factories import BUSY
from tests.integration.maintenance.statement.months import AUGUST, SEPTEMBER, Book
from tollbook.model.unbilled import UnbilledCounts
from tollbook.statements.unbilled import count_month, find_month
from tollbook.store.database import connect
from tollbook.store.sums.rollup import roll_up

SETTINGS = {"issuer_name": "Tele GmbH"}
COUNTS = UnbilledCounts(no_account=2, no_such_account=3, no_price=1, code="ghost")


@pytest.fixture
def book(book: Book) -> Book:
    """Calls of August without a price, of each cause, and others that are none of these."""
    for number, account_id in enumerate((None, None, "ghost", "ghost", "gone", "acme")):
        book.put(f"u{number}", f"2026-08-{4 - number // 2:02}T12:00", None, account_id=account_id)
    book.put("priced", "2026-08-05")
    book.put("busy", "2026-08-05", 0, destination=None, account_id=None, **BUSY)
    book.put("later", "2026-09-01", None, account_id="ghost")
    return book


def counted(book: Book) -> UnbilledCounts | None:
    with connect(book.settings.require_database_url(), name="statement", autocommit=True) as connection:
        return count_month(connection, book.settings, AUGUST)


def listed(book: Book) -> list[tuple[object, ...]]:
    return [
        (cause, some.account_id, some.calls, some.billsec, some.first[1])
        for cause, some in find_month(book.settings, AUGUST)
    ]


def test_the_calls_are_counted_and_listed_whichever_tier_has_them(book: Book) -> None:
    """Before and after they are rolled up, archived and pruned; one that was changed since counts once."""
    found = [
        ("no account", None, 2, 120, "u0"),
        ("no such account", "ghost", 2, 120, "u2"),
        ("no such account", "gone", 1, 60, "u4"),
        ("no price", "acme", 1, 60, "u5"),
    ]
    assert (counted(book), listed(book)) == (COUNTS, found)
    roll_up(book.database)
    assert (counted(book), listed(book)) == (COUNTS, found)
    book.prune()
    assert (counted(book), listed(book)) == (COUNTS, found)
    book.put("u5", "2026-08-02T12:00", 7)
    book.put("u4", "2026-08-02T12:00", None, account_id="other")
    build_unbuilt(book.settings)
    found[2:] = [("no price", "other", 1, 60, "u4")]
    counts = UnbilledCounts(no_account=2, no_such_account=2, no_price=1, code="ghost")
    assert (counted(book), listed(book)) == (counts, found)


def test_what_is_issued_says_what_is_billed_to_nobody(book: Book, tollbook: Tollbook) -> None:
    """One account's statement or everybody's, and how to list these calls; a month without such calls says nothing."""
    says = (
        "nobody is billed for 6 answered calls of 2026-08: 2 without an account, 3 of codes that are no account,"
        " such as ghost, 1 without a price; `tollbook statement --unbilled --month 2026-08` lists them"
    )
    asked = ("statement", "--month", AUGUST)
    assert tollbook(*asked, "--account", "acme", **SETTINGS).stderr == ""
    assert tollbook(*asked, "--account", "acme", "--issue", **SETTINGS).stderr == f"{says}\n"
    assert tollbook(*asked, "--all", "--issue", **SETTINGS).stdout.splitlines()[1:] == [says]
    assert tollbook(*asked, "--unbilled").stdout.splitlines() == [
        "no account: 2 calls of 2026-08; for later ones set TOLLBOOK_ACCOUNT_VARIABLE, or use `tollbook account number"
        " add`",
        "  2 calls, 2.00 minutes, the first: tollbook explain u0",
        "no such account: 3 calls of 2026-08; `tollbook account add CODE`, then `tollbook rerate --unrated`",
        "  ghost: 2 calls, 2.00 minutes, the first: tollbook explain u2",
        "  gone: 1 calls, 1.00 minutes, the first: tollbook explain u4",
        "no price: 1 calls of 2026-08; `tollbook explain` says why; when they have a rate, `tollbook rerate --unrated`",
        "  acme: 1 calls, 1.00 minutes, the first: tollbook explain u5",
    ]
    book.put("later", "2026-09-01")
    done = tollbook("statement", "--all", "--month", SEPTEMBER, "--issue", **SETTINGS)
    assert done.stdout == "2026-09: 1 statements are issued, 1 accounts had no calls\n"
    done = tollbook("statement", "--unbilled", "--month", SEPTEMBER)
    assert done.stdout == "every answered call of 2026-09 has an account and a price\n"


def test_what_cannot_be_counted_hides_nothing_that_was_issued(book: Book) -> None:
    """PostgreSQL goes away after the last statement: the sentence says so, and which command to run."""
    issued = book.issue(AUGUST)
    book.database.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'tollbook statement'"
    )
    said = book.issuer.unbilled(issued.month)
    assert said.startswith(
        "the calls of 2026-08 that nobody is billed for were not counted: PostgreSQL is not available"
    )
    assert said.endswith("`tollbook statement --unbilled --month 2026-08` finds them")


def test_sums_that_are_not_built_are_no_zero(book: Book, tollbook: Tollbook) -> None:
    """The command reads the calls themselves."""
    book.database.execute("UPDATE sum_state SET unbuilt_before = 9e15::bigint")
    done = tollbook("statement", "--month", AUGUST, "--account", "acme", "--issue", **SETTINGS)
    assert done.stderr == (
        "the sums of 2026-08 are not built: `tollbook statement --unbilled --month 2026-08` finds the calls that nobody"
        " is billed for\n"
    )
    assert tollbook("statement", "--unbilled", "--month", AUGUST).stdout.startswith("no account: 2 calls")
