"""`tollbook webhook`: what an operator sees of endpoints, and does with them."""

from pathlib import Path

import pytest

from tests.commands import Start, Tollbook
from tests.databases import store
from tests.endpoints import add_endpoint, waiting
from tests.factories import call
from tests.receivers import Receiver, receiving
from tests.waiting import wait_until
from tollbook.store.database import Connection


@pytest.fixture
def calls(database: Connection) -> Connection:
    """A connection on which each row is committed at once."""
    database.autocommit = True
    return database


def test_endpoints_are_listed_without_secrets(calls: Connection, tollbook: Tollbook) -> None:
    first = add_endpoint(calls, "acme", events=["call.ended"])
    second = add_endpoint(calls, None)
    store(calls, call())
    calls.execute(
        "UPDATE webhook SET disabled_at = now(), disabled_why = E'HTTP 500\\t\\x1b[2J', last_error = 'HTTP 500'"
        " WHERE webhook_id = %s",
        (second,),
    )
    listed = tollbook("webhook", "list").stdout.splitlines()
    assert listed[0].split("\t")[:4] == ["id", "account", "url", "events"]
    assert listed[1].split("\t") == [
        f"wh_{first}", "acme", "https://example.com/hook", "call.ended", "on", "1", "0", "0", "0", "-",
    ]  # fmt: skip
    assert listed[2].startswith(f"wh_{second}\t*\thttps://example.com/hook\t*\toff: HTTP 500")
    assert "\x1b" not in listed[2]
    assert "whsec" not in "".join(listed)
    assert len(tollbook("webhook", "list", "--account", "acme").stdout.splitlines()) == 2
    calls.execute(
        "INSERT INTO webhook (url, created_by) SELECT 'https://example.com/', 'test' FROM generate_series(1, 1000)"
    )
    listed_some = tollbook("webhook", "list")
    assert len(listed_some.stdout.splitlines()) == 1_001
    assert "the first 1000 are listed: --account" in listed_some.stderr


def test_a_test_says_what_the_endpoint_answered(calls: Connection, tollbook: Tollbook, start: Start) -> None:
    """Or that nobody delivers, or that it is off."""
    answers = [204, 500]
    with receiving(Receiver(answer=lambda received: answers.pop(0))) as receiver:
        webhook = f"wh_{add_endpoint(calls, url=receiver.url)}"
        done = tollbook("webhook", "test", webhook)
        assert (done.returncode, "no `tollbook deliver` is running" in done.stderr) == (75, True)
        start("deliver", webhook_private="127.0.0.0/8").wait_for("our share")
        done = tollbook("webhook", "test", webhook)
        assert (done.returncode, "was delivered" in done.stdout) == (0, True), done.stderr
        assert receiver.received[0].event == "test"
        done = tollbook("webhook", "test", webhook)
        assert (done.returncode, "was not taken: HTTP 500" in done.stderr) == (75, True)
        assert tollbook("webhook", "disable", webhook).returncode == 0
        done = tollbook("webhook", "test", webhook)
        assert (done.returncode, f"`tollbook webhook enable {webhook}` first" in done.stderr) == (64, True)


def test_a_replay_sends_again_what_was_delivered_given_up_or_missed(
    calls: Connection, tollbook: Tollbook, tmp_path: Path
) -> None:
    """Since a time, of the events that the endpoint asks for; nothing else, and nothing twice."""
    webhook, other = add_endpoint(calls, events=["call.ended", "call.started"]), add_endpoint(calls, "beta")
    store(calls, call("early"), call("b", "beta"))
    calls.execute("UPDATE call_event SET made_at = now() - interval '2 days'")
    store(calls, call("late"))
    calls.execute("DELETE FROM event_delivery WHERE seq % 2 = 0")
    calls.execute("UPDATE event_delivery SET dead_at = now(), error = 'HTTP 500', attempts = 9")
    letters = tollbook("webhook", "dead-letters", f"wh_{webhook}").stdout.splitlines()
    assert all("HTTP 500" in line for line in letters[1:])
    assert len(letters) > 1
    done = tollbook("webhook", "replay", f"wh_{webhook}", "--since", "2020-01-01")
    assert done.stdout == f"4 events wait for wh_{webhook}\n"
    assert waiting(calls, webhook) == ["call.started", "call.ended"] * 2
    assert len(tollbook("webhook", "dead-letters", f"wh_{webhook}").stdout.splitlines()) == 1
    assert calls.execute(
        "SELECT count(*) FROM event_delivery WHERE webhook_id = %s AND dead_at IS NULL", (other,)
    ).fetchone() == (0,)
    since = calls.execute("SELECT to_char(now() - interval '1 day', 'YYYY-MM-DD')").fetchone()
    assert since is not None
    assert tollbook("webhook", "replay", f"wh_{webhook}", "--since", since[0]).stdout.startswith("2 events")


def test_an_endpoint_is_switched_off_and_on(calls: Connection, tollbook: Tollbook) -> None:
    """What happens while it is off does not wait for it; what waited is due at once when it is on again."""
    webhook = add_endpoint(calls)
    store(calls, call("before"))
    calls.execute("UPDATE event_delivery SET due_at = now() + interval '3 hours'")  # two wait for the first
    calls.execute(
        "UPDATE event_delivery SET attempts = 7, failed_since = now() WHERE seq = (SELECT min(seq) FROM event_delivery)"
    )
    calls.execute("UPDATE webhook SET failures = 30, failing_since = now(), paused_until = now() + interval '1 hour'")
    assert tollbook("webhook", "disable", "--all").returncode == 0
    store(calls, call("meanwhile"))
    assert len(waiting(calls, webhook)) == 3
    assert tollbook("webhook", "enable", f"wh_{webhook}").returncode == 0
    found = calls.execute("SELECT failures, disabled_at, paused_until FROM webhook").fetchall()
    assert found == [(0, None, None)]
    assert calls.execute("SELECT count(*) FROM event_delivery WHERE due_at <= now()").fetchone() == (3,)


def test_mistakes_are_explained(calls: Connection, tollbook: Tollbook) -> None:
    add_endpoint(calls)
    for arguments, says in (
        (("webhook", "enable", "wh_99"), "there is no endpoint wh_99"),
        (("webhook", "test", "acme"), "'acme' is no endpoint: write wh_17"),
        (("webhook", "disable"), "either ENDPOINT or --all"),
        (("webhook", "replay", "wh_1", "--since", "yesterday"), "is not a time"),
        (("webhook", "replay", "wh_1", "--since", "2026-01-02", "--until", "2026-01-01"), "later than --since"),
    ):
        done = tollbook(*arguments)
        assert done.returncode == 64, done.stderr
        assert says in done.stderr


def test_a_deleted_endpoint_is_gone(calls: Connection, tollbook: Tollbook) -> None:
    webhook = f"wh_{add_endpoint(calls)}"
    assert tollbook("webhook", "delete", webhook).stdout == f"{webhook} is deleted\n"
    wait_until(lambda: len(tollbook("webhook", "list").stdout.splitlines()) == 1, 5)
    assert tollbook("webhook", "delete", webhook).returncode == 64
