"""Two at once, and kills: a statement is issued once, whole, and no number is left out."""

import signal
import threading

import psycopg

from tests.commands import Start
from tests.integration.maintenance.statement.months import AUGUST, Book
from tests.waiting import wait_until
from tollbook.statements.issue import issuing
from tollbook.statements.statement import Issued
from tollbook.store.locks import STATEMENT_LOCK
from tollbook.store.tariffs import tariffs


def test_two_that_issue_one_month_get_the_same_statement(book: Book) -> None:
    """Byte for byte: one of them wrote it."""
    book.put("a", "2026-08-05")
    found: list[Issued] = []
    ready = threading.Barrier(4)

    def issue() -> None:
        with issuing(book.settings) as issuer:
            ready.wait(30)
            found.append(issuer.issue("acme", AUGUST))

    threads = [threading.Thread(target=issue) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 4
    assert len({issued.content for issued in found}) == 1
    assert book.database.execute("SELECT series, number FROM statement").fetchall() == [("T-", 1)]


def test_the_numbers_of_many_at_once_have_no_gap(book: Book) -> None:
    """Each account is issued by a thread of its own."""
    names = [f"a{number}" for number in range(6)]
    for name in names:
        tariffs.add_account(book.database, tariffs.Account(account_id=name, name=name, plan_id=None))
    ready = threading.Barrier(len(names))

    def issue(name: str) -> None:
        with issuing(book.settings) as issuer:
            ready.wait(30)
            issuer.issue(name, AUGUST)

    threads = [threading.Thread(target=issue, args=[name]) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    numbers = book.database.execute("SELECT number FROM statement ORDER BY number").fetchall()
    assert [number for (number,) in numbers] == [1, 2, 3, 4, 5, 6]


def test_a_kill_before_the_commit_leaves_nothing_and_no_gap(book: Book, start: Start, database_url: str) -> None:
    """Killed where it has computed all and waits for its number; the next one gets that number."""
    book.put("a", "2026-08-05")
    with psycopg.connect(database_url) as blocker:
        blocker.execute("SELECT pg_advisory_xact_lock(%s)", (STATEMENT_LOCK,))
        running = start("statement", "--account", "acme", "--month", AUGUST, "--issue", issuer_name="Tele GmbH")
        waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        wait_until(lambda: book.database.execute(waits).fetchone() == (1,), 60, what=lambda: running.output)
        running.stop(signal.SIGKILL)
    wait_until(lambda: book.database.execute(waits).fetchone() == (0,), 30, what=lambda: "its session to end")
    assert book.database.execute("SELECT count(*) FROM statement").fetchone() == (0,)
    assert book.issue(AUGUST).number == "T-000001"
