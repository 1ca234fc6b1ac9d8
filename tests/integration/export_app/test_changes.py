"""`updated_since`: a nightly sync gets every change, whoever commits when."""

from collections.abc import Callable, Iterator

import pytest
from werkzeug.test import TestResponse

from tests.factories import START_MS
from tollbook.store.calls.changes import first_transaction_since
from tollbook.store.database import LONGEST_TRANSACTION_S, Connection, connect
from tollbook.times import MS_PER_DAY

Ask = Callable[..., TestResponse]
Put = Callable[..., None]


@pytest.fixture
def second(database_url: str) -> Iterator[Connection]:
    """Another writer, in a transaction."""
    with connect(database_url, name="test") as connection:
        yield connection


def sync(ask: Ask, **first: object) -> tuple[list[str], str]:
    """Follow a sync to its end: the calls in the order they came, and the cursor of the next."""
    found: list[str] = []
    asked = first
    while True:
        answer = ask(limit=3, **asked)
        assert answer.status_code == 200, answer.text
        body = answer.get_json()
        found += [row["call_id"] for row in body["rows"]]
        if "sync_cursor" in body:
            assert "next_cursor" not in body
            return found, body["sync_cursor"]
        asked = {"cursor": body["next_cursor"]}


def now_ms(connection: Connection) -> int:
    """The server's time."""
    row = connection.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint").fetchone()
    assert row
    return row[0]


def aged(connection: Connection, seconds: int) -> None:
    """Let all that was written have been written so long ago."""
    connection.execute("UPDATE call_cdr SET updated_ts = updated_ts - %s", (seconds * 1000,))


def test_a_sync_goes_on_where_the_last_one_ended(ask: Ask, put: Put) -> None:
    """In the order of change; what did not change does not come again."""
    for number in range(8):
        put(f"c{number}", start_ts=START_MS - number)
    found, cursor = sync(ask, updated_since=0)
    assert found == [f"c{number}" for number in range(8)]
    assert sync(ask, cursor=cursor)[0] == []
    put("c3", start_ts=START_MS - 3, billsec=61)
    put("new")
    found, cursor = sync(ask, cursor=cursor)
    assert found == ["c3", "new"]
    assert sync(ask, cursor=cursor)[0] == []


def test_one_id_on_two_switches_in_one_change_is_two_rows(ask: Ask, put: Put, accounts: Connection) -> None:
    """One transaction wrote them, and a page ends between them."""
    with accounts.transaction():
        for switch in ("fs2", "fs1", "fs3"):
            put("twin", switch=switch)
    query: dict[str, object] = {"updated_since": 0, "limit": 1, "fields": "switch"}
    found: list[str] = []
    for _ in range(3):
        answer = ask(**query).get_json()
        found += [row["switch"] for row in answer["rows"]]
        query = {"limit": 1, "fields": "switch", "cursor": answer.get("next_cursor")}
    assert (found, query["cursor"]) == (["fs1", "fs2", "fs3"], None)


def test_a_long_call_that_ends_after_the_sync_comes_with_the_next(ask: Ask, put: Put) -> None:
    """It began days before; it is in the changes while it is up, and again when it has ended."""
    nothing = dict.fromkeys(("answer_ts", "end_ts", "duration_sec", "billsec", "disposition", "hangup_cause"))
    put("long", start_ts=START_MS - 2 * MS_PER_DAY, answered=0, **nothing)
    put("short")
    found, cursor = sync(ask, updated_since=0)
    assert found == ["long", "short"]
    put("long", start_ts=START_MS - 2 * MS_PER_DAY)
    assert sync(ask, cursor=cursor)[0] == ["long"]


def test_a_slow_transaction_is_not_missed(ask: Ask, put: Put, second: Connection) -> None:
    """What began before it ended and committed meanwhile waits for it; then both come, each once."""
    put("before")
    put("slow", second)
    put("quick")
    found, cursor = sync(ask, updated_since=0)
    assert found == ["before"]
    assert sync(ask, cursor=cursor)[0] == []
    second.commit()
    assert sync(ask, cursor=cursor)[0] == ["slow", "quick"]


def test_a_row_that_changes_during_a_walk_comes_again(ask: Ask, put: Put) -> None:
    """Later, as it is then; no other is left out."""
    for number in range(7):
        put(f"c{number}")
    first = ask(updated_since=0, limit=3).get_json()
    assert [row["call_id"] for row in first["rows"]] == ["c0", "c1", "c2"]
    put("c1", billsec=61)
    put("c5", billsec=61)
    found, _ = sync(ask, cursor=first["next_cursor"])
    assert found == ["c3", "c4", "c6", "c1", "c5"]


def test_a_time_finds_what_ended_then_or_later(ask: Ask, put: Put, accounts: Connection) -> None:
    """Not all that ever was: what ended long before is left out, by the index of changes alone."""
    for number in range(20):
        put(f"old{number}")
    aged(accounts, 3 * LONGEST_TRANSACTION_S)
    put("new")
    found, _ = sync(ask, updated_since=now_ms(accounts) - 1000)
    assert found == ["new"]
    found, _ = sync(ask, updated_since=now_ms(accounts) - 3 * LONGEST_TRANSACTION_S * 1000)
    assert len(found) == 21


def test_a_time_finds_a_transaction_that_began_long_before_it(
    ask: Ask, put: Put, accounts: Connection, second: Connection
) -> None:
    """As long as a transaction may last; its row says when it began, and it has an older number than others."""
    put("slow", second)
    put("quick")
    second.commit()
    # As if it had begun so much earlier, and both had ended a moment ago.
    accounts.execute(
        "UPDATE call_cdr SET updated_ts = updated_ts - %s WHERE call_id = 'slow'", (LONGEST_TRANSACTION_S * 1000,)
    )
    found, _ = sync(ask, updated_since=now_ms(accounts) - 1000)
    assert found == ["slow", "quick"]


def test_our_transactions_are_as_short_as_that(database_url: str) -> None:
    """PostgreSQL ends what lasts longer; before version 17 it has only limits on its pieces."""
    with connect(database_url, name="test") as connection:
        row = connection.execute(
            "SELECT current_setting('transaction_timeout', true), current_setting('statement_timeout'),"
            " current_setting('idle_in_transaction_session_timeout')"
        ).fetchone()
        version = connection.info.server_version
    assert row == (f"{LONGEST_TRANSACTION_S // 60}min" if version >= 170000 else None, "2min", "1min")


def test_the_first_transaction_of_nothing_is_the_oldest_that_runs(accounts: Connection) -> None:
    """An empty table is searched in as many steps."""
    row = accounts.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint").fetchone()
    assert row
    assert 0 <= first_transaction_since(accounts, now_ms(accounts)) <= row[0]


def test_changes_of_an_account_and_of_all(ask: Ask, put: Put, other_key: str, operator_key: str) -> None:
    """Filters too; and the cursor of one key is no other's."""
    put("mine")
    put("foreign", account_id="other", direction="inbound")
    put("nobodys", account_id=None)
    assert sync(ask, updated_since=0)[0] == ["mine"]
    assert [row["call_id"] for row in ask(other_key, updated_since=0).get_json()["rows"]] == ["foreign"]
    assert len(ask(operator_key, updated_since=0).get_json()["rows"]) == 3
    inbound = ask(operator_key, updated_since=0, direction="inbound").get_json()
    assert [row["call_id"] for row in inbound["rows"]] == ["foreign"]
    assert ask(other_key, cursor=inbound["sync_cursor"]).get_json()["code"] == "bad_cursor"
    assert ask(operator_key, cursor=inbound["sync_cursor"], direction="outbound").status_code == 400


def test_the_cursor_of_the_next_sync_is_in_a_header_of_csv(ask: Ask, put: Put) -> None:
    """Where that of the next page is."""
    put("a")
    answer = ask(updated_since=0, format="csv", fields="call_id,updated_ts")
    assert "X-Next-Cursor" not in answer.headers
    put("b")
    assert ask(cursor=answer.headers["X-Sync-Cursor"], format="csv", fields="call_id").text == "call_id\r\nb\r\n"


def test_changes_of_pruned_days_are_refused(ask: Ask, accounts: Connection) -> None:
    """What PostgreSQL no longer holds cannot be listed; a sync that would miss it gets an error that says so."""
    cursor = sync(ask, updated_since=0)[1]
    accounts.execute("UPDATE hot_window SET window_start = %s", (now_ms(accounts) + 1000,))
    for asked in ({"updated_since": 5}, {"cursor": cursor}):
        answer = ask(**asked)
        assert (answer.status_code, answer.get_json()["code"]) == (400, "too_long_ago")
