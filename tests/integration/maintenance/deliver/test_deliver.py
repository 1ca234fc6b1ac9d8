"""`tollbook deliver`: each event at least once, the events of a call in order, soon, whatever else is slow or dead."""

import time

from tests.databases import store
from tests.endpoints import add_endpoint, waiting
from tests.factories import UP, call
from tests.integration.maintenance.deliver.conftest import Deliver
from tests.receivers import Receiver, receiving, silent_port
from tests.waiting import wait_until
from tollbook.store.database import Connection

RINGING = UP | {"answer_ts": None, "answered": 0}
IN_ORDER = ["call.started", "call.answered", "call.ended"]


def latencies_s(receiver: Receiver) -> list[float]:
    return sorted(received.at_s - received.json["ts"] / 1000 for received in receiver.received)


def test_each_event_once_in_order_signed_and_soon(calls: Connection, deliver: Deliver) -> None:
    """Within a second (p99) when it is quiet."""
    with receiving() as receiver:
        webhook = add_endpoint(calls, url=receiver.url)
        process = deliver()
        for number in range(20):
            for state in (RINGING, UP, {}):
                store(calls, call(f"c{number}", **state))
                time.sleep(0.02)  # quiet: some 50 events a second
        receiver.wait_for(60)
        wait_until(lambda: not waiting(calls, webhook), 5)
        for number in range(20):
            events = [received.event for received in receiver.received if received.call_id == f"c{number}"]
            assert events == IN_ORDER
        assert len({received.message_id for received in receiver.received}) == 60
        receiver.verify()
        assert latencies_s(receiver)[58] < 1, latencies_s(receiver)
        process.end()


def test_a_dead_receiver_among_fifty_delays_no_other(calls: Connection, deliver: Deliver) -> None:
    """One that is silent, one that is slow, and one that is away; each of the others gets all within a second.

    Nor do many to which nothing is to be sent.
    """
    slow = Receiver(answer=lambda received: time.sleep(3) or 204)
    with receiving() as receiver, receiving(slow), silent_port() as silent:
        for number in range(150):
            add_endpoint(calls, f"idle{number}")
        for number in range(47):
            add_endpoint(calls, f"a{number}", f"{receiver.url}/{number}")
        for name, url in (("x", f"http://127.0.0.1:{silent}/"), ("y", slow.url), ("z", "http://127.0.0.1:1/")):
            add_endpoint(calls, name, url)
        process = deliver()
        for _ in range(3):
            store(calls, *(call(f"bad{n}-{time.time()}", name) for n in range(10) for name in "xyz"))
            store(calls, *(call(f"c{number}-{time.time()}", f"a{number}") for number in range(47)))
            time.sleep(0.3)
        receiver.wait_for(3 * 47 * 3)
        assert latencies_s(receiver)[-1] < 1.5, latencies_s(receiver)[-5:]
        process.kill()


def test_a_failed_delivery_is_tried_again_and_the_next_of_its_call_waits(calls: Connection, deliver: Deliver) -> None:
    """Other calls do not."""
    failing = {"c1"}
    receiver = Receiver(answer=lambda received: 500 if received.call_id in failing else 204)
    with receiving(receiver):
        webhook = add_endpoint(calls, url=receiver.url)
        deliver()
        store(calls, call("c1"), call("c2"))
        receiver.wait_for(4)
        wait_until(lambda: waiting(calls, webhook) == IN_ORDER, 5)
        assert [one.event for one in receiver.received if one.call_id == "c1"] == ["call.started"]
        failing.clear()
        wait_until(lambda: not waiting(calls, webhook), 20)
        assert [one.event for one in receiver.received if one.call_id == "c1"] == ["call.started", *IN_ORDER]
        ((attempts, error),) = calls.execute("SELECT failed, last_error FROM webhook").fetchall()
        assert (attempts, error) == (1, "HTTP 500")


def test_an_endpoint_that_answers_410_is_switched_off(calls: Connection, deliver: Deliver) -> None:
    """And the log says so."""
    with receiving(Receiver(answer=lambda received: 410)) as receiver:
        webhook = add_endpoint(calls, url=receiver.url)
        process = deliver()
        store(calls, call())
        process.wait_for("endpoint switched off")
        assert f"endpoint=wh_{webhook}" in process.output
        store(calls, call("later"))
        assert len(waiting(calls, webhook)) == 3  # of the first call


def test_several_share_the_endpoints_without_doubling(calls: Connection, deliver: Deliver) -> None:
    """And take over from one that is killed."""
    with receiving() as receiver:
        webhooks = [add_endpoint(calls, f"a{number}", f"{receiver.url}/{number}") for number in range(6)]
        first, second = deliver(), deliver()
        first.wait_for("parts=32")
        for number in range(10):
            store(calls, *(call(f"c{number}-{account}", f"a{account}") for account in range(6)))
            time.sleep(0.02)
        receiver.wait_for(180)
        wait_until(lambda: not any(waiting(calls, webhook) for webhook in webhooks), 5)
        assert len(receiver.received) == len({one.message_id for one in receiver.received}) == 180
        first.kill()
        second.wait_for("parts=64")
        store(calls, *(call(f"more-{account}", f"a{account}") for account in range(6)))
        receiver.wait_for(198)
        second.end()


def test_a_disabled_account_is_told_nothing(calls: Connection, deliver: Deliver) -> None:
    """As its keys are refused; what happened meanwhile is told when it is enabled again."""
    with receiving() as receiver:
        add_endpoint(calls, url=receiver.url)
        calls.execute("UPDATE account SET disabled_at = now()")
        store(calls, call())
        deliver()
        time.sleep(0.6)  # in which it would have been delivered
        assert receiver.received == []
        calls.execute("UPDATE account SET disabled_at = NULL")
        receiver.wait_for(3)


def test_a_restored_database_delivers_nothing_until_it_may(calls: Connection, deliver: Deliver) -> None:
    """A copy for tests must not tell customers of calls."""
    calls.execute("UPDATE database_history SET restored_at = now(), restored_how = 'this is a copy'")
    with receiving() as receiver:
        add_endpoint(calls, url=receiver.url)
        store(calls, call())
        process = deliver(wait=False)
        process.wait_for("a copy must not tell customers")
        process.wait_for("our share of the endpoints")
        time.sleep(1)  # in which it would have been delivered
        assert receiver.received == []
        calls.execute("UPDATE database_history SET restored_at = NULL, restored_how = NULL")  # as `archive attach` does
        receiver.wait_for(3)
