"""Events are kept for days, and not for ever; an erasure leaves none."""

from itertools import islice

import pytest
from psycopg.pq import TransactionStatus

from tests.databases import store
from tests.endpoints import add_endpoint, noted, waiting
from tests.factories import START_MS, call
from tollbook.store.database import Connection
from tollbook.store.erasure import calls, receipts, removal
from tollbook.store.erasure.events import remove_events
from tollbook.store.events.prune import Forgotten, forget_events
from tollbook.store.events.queue import read_due


def test_events_are_forgotten_after_their_days(database: Connection) -> None:
    """Delivered or not: what was not is counted."""
    webhook = add_endpoint(database)
    store(database, call("old"))
    database.execute("UPDATE call_event SET made_at = now() - interval '8 days'")
    database.execute("DELETE FROM event_delivery WHERE seq = (SELECT min(seq) FROM call_event)")
    store(database, call("new"))
    database.commit()
    database.autocommit = True
    assert forget_events(database, 7) == Forgotten(events=3, undelivered=2)
    assert {event for event, *_ in noted(database, "new")} == {"call.started", "call.answered", "call.ended"}
    assert (noted(database, "old"), len(waiting(database, webhook))) == ([], 3)


def test_a_deleted_endpoint_goes_with_all_that_waits_for_it(database: Connection) -> None:
    """A day after: a delivery to it may be under way."""
    gone, stays = add_endpoint(database), add_endpoint(database)
    store(database, call())
    for age, left in (("1 hour", {gone, stays}), ("2 days", {stays})):
        database.execute("UPDATE webhook SET deleted_at = now() - %s::interval WHERE webhook_id = %s", (age, gone))
        database.commit()
        database.autocommit = True
        forget_events(database, 7)
        assert {number for (number,) in database.execute("SELECT webhook_id FROM webhook")} == left
        assert (waiting(database, gone), len(waiting(database, stays))) == ([], 3)
        database.autocommit = False


def test_deliveries_without_their_event_hold_up_no_other(database: Connection) -> None:
    """A replay leaves some whose events were forgotten meanwhile; with an endpoint that is gone, they go by and by."""
    webhook = add_endpoint(database)
    database.execute(
        "INSERT INTO event_delivery (webhook_id, seq, call_no) SELECT %s, -number, call_no FROM generate_series(1, 20)"
        " AS number, (SELECT hashtextextended('fs1 a', %s) AS call_no) AS of_a",
        (webhook, START_MS),
    )
    store(database, call("a"), call("b"))
    database.execute("INSERT INTO event_delivery (webhook_id, seq, call_no) SELECT -1, seq, 0 FROM call_event")
    database.commit()
    database.autocommit = True
    found = read_due(database, {webhook: 8}, (), limit=8)
    assert [(one.call_id, one.event) for one in found] == [("a", "call.started"), ("b", "call.started")]
    forget_events(database, 7)
    assert database.execute("SELECT webhook_id, count(*) FROM event_delivery GROUP BY 1").fetchall() == [(webhook, 6)]


def begin(database: Connection, account: str | None) -> receipts.Erasure:
    database.commit()
    database.autocommit = True
    return receipts.begin(
        database, account_id=account, number=None if account else "1001", until_ts=START_MS + 1, by_whom="me",
        reason="test",
    )  # fmt: skip


def test_an_erased_account_has_no_endpoint_and_no_event(database: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """They go piece by piece, of which each may be the last before a kill: nothing is left, and all is counted."""
    ours, theirs = add_endpoint(database, "acme"), add_endpoint(database, "beta")
    store(database, call("a", "acme"), call("b", "beta"))
    erasure = begin(database, "acme")
    monkeypatch.setattr("tollbook.store.erasure.events.PIECE", 2)
    for pieces in (1, 2, 4, 5, 99):
        for _ in islice(remove_events(database, erasure.erasure_id, "acme", START_MS + 1), pieces):
            assert database.info.transaction_status == TransactionStatus.IDLE
    store(database, call("new", "acme"))
    assert noted(database) == [(event, "beta", 1) for event in ("call.started", "call.answered", "call.ended")]
    assert (waiting(database, ours), len(waiting(database, theirs))) == ([], 3)
    assert receipts.read(database, erasure.erasure_id).counts == {"endpoints": 1, "events": 3, "deliveries": 3}


def test_an_erased_call_has_no_event_but_that_it_is_gone(database: Connection) -> None:
    """With its key alone, so that whoever was told of it can delete it, too."""
    webhook = add_endpoint(database)
    row, _ = call("a")
    store(database, call("a"), call("b"))
    erasure = begin(database, None)
    calls.collect(database, erasure.erasure_id, [(row.key, "acme")])
    for _ in range(2):  # as an erasure does whose calls change, or that goes on after a kill
        for _ in removal.remove(database, erasure.erasure_id):
            pass
    found = database.execute("SELECT event, record FROM call_event WHERE call_id = 'a'").fetchall()
    assert found == [("call.updated", {"removed": True})]
    assert len(waiting(database, webhook)) == 4
