"""`updated_since`: a nightly sync gets every change, whoever commits when."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from werkzeug.test import TestResponse

from tests.factories import START_MS, UP
from tollbook.model.accounts import EveryAccount
from tollbook.model.call_key import CallKey
from tollbook.model.selection import Changes
from tollbook.model.tiers import KEYED_COLUMNS
from tollbook.store.calls import call_rows
from tollbook.store.calls.changes import read_changes
from tollbook.store.database import LONGEST_TRANSACTION_S, Connection, connect
from tollbook.store.days.sync_window import first_transaction_since
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
    assert ask(cursor=answer.headers["X-Sync-Cursor"], format="csv", fields="call_id").text == (
        "call_id,deleted\r\nb,false\r\n"
    )


def deleted(ask: Ask, **asked: object) -> list[str]:
    """The calls that a page of changes says are deleted."""
    return [f"{call['switch']} {call['call_id']}" for call in ask(**asked).get_json()["deleted"]]


def test_a_deleted_call_is_in_the_changes(ask: Ask, put: Put, accounts: Connection, operator_key: str) -> None:
    """Its legs belong to another call now: a client that kept it would count it twice."""
    put("part")
    put("whole")
    cursor = sync(ask, updated_since=0)[1]
    theirs = sync(partial(ask, operator_key), updated_since=0)[1]
    call_rows.delete(accounts, [CallKey(START_MS, "part", "fs1")])
    assert deleted(ask, cursor=cursor) == deleted(ask, secret=operator_key, cursor=theirs) == ["fs1 part"]
    csv = ask(cursor=cursor, format="csv", fields="billsec,call_id,switch").text
    assert csv == "billsec,call_id,switch,deleted\r\n,part,fs1,true\r\n"
    put("part")
    assert (sync(ask, cursor=cursor)[0], deleted(ask, cursor=cursor)) == (["part"], [])


def test_a_call_that_moves_to_another_account_is_deleted_for_its_own(
    ask: Ask, put: Put, other_key: str, operator_key: str
) -> None:
    """And for nobody else; while it is up, too. Back again, it is there again."""
    put("a")
    put("up", **UP, answered=0, answer_ts=None)
    everybody = {"acme": ask, "other": partial(ask, other_key), "operator": partial(ask, operator_key)}
    cursors = {who: sync(asks, updated_since=0)[1] for who, asks in everybody.items()}
    put("a", account_id="other")
    put("up", account_id="other", **UP, answered=0, answer_ts=None)
    found = {who: sorted(deleted(asks, cursor=cursors[who])) for who, asks in everybody.items()}
    assert found == {"acme": ["fs1 a", "fs1 up"], "other": [], "operator": []}
    found = {who: sync(asks, cursor=cursors[who])[0] for who, asks in everybody.items()}
    assert found == {"acme": [], "other": ["a", "up"], "operator": ["a", "up"]}
    put("a")
    assert deleted(ask, cursor=cursors["acme"]) == ["fs1 up"]
    assert deleted(partial(ask, other_key), cursor=cursors["other"]) == ["fs1 a"]


def test_deleted_calls_and_rows_share_the_pages(ask: Ask, put: Put, accounts: Connection) -> None:
    """A page has `limit` of both together, in the order of change."""
    for number in range(4):
        put(f"c{number}")
    cursor = sync(ask, updated_since=0)[1]
    for number in (0, 2):
        call_rows.delete(accounts, [CallKey(START_MS, f"c{number}", "fs1")])
        put(f"c{number + 1}", billsec=61)
    pages: list[tuple[list[str], list[str]]] = []
    while True:
        page = ask(cursor=cursor, limit=3).get_json()
        pages.append(([row["call_id"] for row in page["rows"]], [call["call_id"] for call in page["deleted"]]))
        if "sync_cursor" in page:
            break
        cursor = page["next_cursor"]
    assert pages == [(["c1"], ["c0", "c2"]), (["c3"], [])]


def test_a_page_reads_no_more_rows_than_it_has(put: Put, accounts: Connection) -> None:
    """However many have changed since: it is read along the index, and so is the beginning of a sync."""
    for number in range(300):
        put(f"c{number}", start_ts=START_MS + number)
    accounts.execute("ANALYZE call_cdr")
    for read in (
        lambda: read_changes(accounts, Changes(accounts=EveryAccount(), first=0), KEYED_COLUMNS, 10),
        lambda: first_transaction_since(accounts, now_ms(accounts)),
    ):
        with accounts.transaction():
            read()
            ((rows,),) = accounts.execute(
                "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
                " WHERE relname ~ '^call_cdr'"
            ).fetchall()
        assert rows < 100
