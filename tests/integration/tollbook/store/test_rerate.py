"""A price is replaced only if the call is still as it was when read."""

import threading
from collections.abc import Iterator
from dataclasses import replace as changed
from typing import Any

import msgspec
import pytest

from tests.factories import BUSY, START_MS, UP, call_row
from tollbook.model.call_key import CallKey
from tollbook.model.charge import Charge, Price, PricedCharge
from tollbook.model.record import COLUMNS, Row
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection, connect
from tollbook.store.days.partitions import Partitions
from tollbook.store.tariffs import price_history, rerate
from tollbook.store.tariffs.price_history import Replacement
from tollbook.store.tariffs.rerate import RerateScope
from tollbook.times import MS_PER_DAY

EVERYTHING = RerateScope(accounts=None, since=0, until=2**62, unrated=False)
FIRST = CallKey(0, "", "")


@pytest.fixture
def database(database_url: str) -> Iterator[Connection]:
    with connect(database_url, name="test", autocommit=True) as connection:
        Partitions().ensure(connection, call_days=[START_MS // MS_PER_DAY], leg_days=())
        yield connection


def row(name: str, start: int = START_MS, **fields: Any) -> Row:
    charges = (Charge(direction="outbound", number="49", seconds=9),)
    return call_row(name, start_ts=start, **{"billsec": 9, "parts": charges} | fields)


def price(cost: int | None, **fields: object) -> Price:
    part = PricedCharge(direction="outbound", number="49", seconds=9, cost_micros=cost)
    whole = {"cost_micros": cost, "parts": (part,), "currency": "EUR", "unrated": None if cost is not None else "why"}
    return msgspec.convert({**whole, **fields}, Price)


def test_pages_give_every_answered_call_once_in_order(database: Connection) -> None:
    """Calls of one millisecond are ordered by their id; open and unanswered calls are left out."""
    rows = [row(name, START_MS + at) for at in (0, 0, 5) for name in ("b", "a", "ü", "A")]
    call_rows.upsert(database, list({call.key: (call, price(1)) for call in rows}.values()))
    call_rows.upsert(database, [(row("busy", **BUSY, parts=None), price(0, parts=()))])
    call_rows.upsert(database, [(row("up", **UP), None)])
    found: list[CallKey] = []
    after = FIRST
    while page := rerate.page(database, EVERYTHING, after=after, limit=3):
        found += [call.key for call in page]
        after = found[-1]
    assert found == sorted({call.key for call in rows})
    assert rerate.count(database, EVERYTHING) == len(found)


def test_a_call_that_changed_since_it_was_read_keeps_its_new_price(database: Connection) -> None:
    """A late leg has replaced the row, which was priced then: the history says which of the two replaced what."""
    call_rows.upsert(database, [(row("late"), price(1)), (row("same"), price(1))])
    read = rerate.page(database, EVERYTHING, after=FIRST, limit=9)
    charge = PricedCharge(direction="outbound", number="49", seconds=8, cost_micros=7)
    call_rows.upsert(database, [(row("late", billsec=8, parts=(charge.charge,)), price(7, parts=(charge,)))])
    run = price_history.begin_run(database, by_whom="me", reason="", scope="")
    done = price_history.replace(database, run, [Replacement(call=call, price=price(5)) for call in read])
    assert done == {CallKey(START_MS, "same", "fs1")}
    found = database.execute("SELECT call_id, cost_micros, revision FROM call_cdr ORDER BY call_id").fetchall()
    assert found == [("late", 7, 2), ("same", 5, 2)]
    kept = database.execute("SELECT call_id, cost_micros, cause, run_id FROM price_history ORDER BY call_id").fetchall()
    assert kept == [("late", 1, "other", None), ("same", 1, "rerate", run)]


def test_a_replaced_price_is_a_change_of_its_row(database: Connection) -> None:
    """The archive and a nightly sync see it: it is in the outbox, out of any batch, with a new transaction id."""
    call_rows.upsert(database, [(row("a"), price(1))])
    (claimed,) = database.execute("SELECT xmin FROM archive_outbox").fetchall()
    before = database.execute("SELECT changed::text::bigint, updated_ts FROM call_cdr").fetchone()
    (read,) = rerate.page(database, EVERYTHING, after=FIRST, limit=9)
    run = price_history.begin_run(database, by_whom="me", reason="", scope="")
    assert price_history.replace(database, run, [Replacement(call=read, price=price(None))]) == {
        CallKey(START_MS, "a", "fs1")
    }
    after = database.execute("SELECT changed::text::bigint, updated_ts FROM call_cdr").fetchone()
    assert before
    assert after
    assert after[0] > before[0]
    assert after[1] >= before[1]
    assert database.execute("SELECT xmin FROM archive_outbox").fetchall() != [claimed]
    assert database.execute("SELECT cost_micros, unrated, parts FROM call_cdr").fetchone() == (
        None, "why", [{"direction": "outbound", "number": "49", "seconds": 9, "cost_micros": None}]
    )  # fmt: skip


def test_an_archived_call_comes_back_as_it_was_but_for_its_price(database: Connection) -> None:
    """Every column returns, whatever text it holds; a call whose row is in PostgreSQL is left alone."""
    odd = row("odd", from_num="\"\\'{},\n\t\x7f", queue_id="ü\u2028", estimated=True, account_id=None, agent_id="")
    call_rows.upsert(database, [(odd, price(1)), (row("here"), price(3))])
    columns = ", ".join(column for column in (*COLUMNS, "switch", "estimated") if column != "cost_micros")
    query = f"SELECT {columns} FROM call_cdr WHERE call_id = 'odd'"
    before = database.execute(query).fetchone()
    read = {call.key.call_id: call for call in rerate.page(database, EVERYTHING, after=FIRST, limit=9)}
    database.execute("DELETE FROM call_cdr WHERE call_id = 'odd'")
    database.execute("DELETE FROM archive_outbox")
    run = price_history.begin_run(database, by_whom="me", reason="", scope="")
    archived = {call.key: msgspec.structs.asdict(call) | {"cost_micros": 1} for call in (odd, row("here"))}
    changes = [
        Replacement(
            call=changed(read[name], revision=4), price=price(5), archived=archived[CallKey(START_MS, name, "fs1")]
        )
        for name in ("odd", "here")
    ]
    assert rerate.present(database, [change.call.key for change in changes]) == {CallKey(START_MS, "here", "fs1")}
    assert price_history.write_corrections(database, run, changes) == {CallKey(START_MS, "odd", "fs1")}
    assert database.execute(query).fetchone() == before
    assert database.execute("SELECT call_id, cost_micros, revision FROM call_cdr ORDER BY 1").fetchall() == [
        ("here", 3, 1), ("odd", 5, 5)
    ]  # fmt: skip
    assert database.execute("SELECT call_id, revision, cost_micros, currency FROM price_history").fetchall() == [
        ("odd", 4, 1, "EUR")
    ]
    assert database.execute("SELECT call_id FROM archive_outbox").fetchall() == [("odd",)]


def test_the_listener_and_a_rerate_never_wait_in_a_circle(database: Connection, database_url: str) -> None:
    """Both write the same 400 rows repeatedly, one forwards and one backwards in time: no deadlock, no lost price."""
    rows = [row(f"c{number:03}", START_MS + 400 - number) for number in range(400)]
    call_rows.upsert(database, [(call, price(1)) for call in rows])
    run = price_history.begin_run(database, by_whom="me", reason="", scope="")
    failures: list[BaseException] = []

    def listen() -> None:
        try:
            with connect(database_url, name="listener") as connection:
                for turn in range(15):
                    call_rows.upsert(connection, [(changed_row(call, turn), price(1)) for call in reversed(rows)])
                    connection.commit()
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)

    listener = threading.Thread(target=listen)
    listener.start()
    replaced = 0
    for cost in range(2, 17):
        read = rerate.page(database, EVERYTHING, after=FIRST, limit=1000)
        replaced += len(
            price_history.replace(database, run, [Replacement(call=call, price=price(cost)) for call in read])
        )
    listener.join()
    assert not failures
    kept = database.execute("SELECT count(*) FROM price_history WHERE run_id = %s", (run,)).fetchone()
    assert kept == (replaced,)
    # Every write is one revision: none was lost or overwritten unseen.
    total = database.execute("SELECT sum(revision) FROM call_cdr").fetchone()
    assert total == (len(rows) + 15 * len(rows) + replaced,)


def changed_row(call: Row, turn: int) -> Row:
    return msgspec.structs.replace(call, agent_id=f"agent {turn}")
