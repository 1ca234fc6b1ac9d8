"""What is up now: once, as a stream, and by a link; each of the reader's own alone."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import psycopg
import pytest

from export_app.context import Services
from export_app.now import figures
from export_app.now.feeds import MAX_STREAMS_PER_KEY, Feeds, Viewer
from export_app.now.figures import Now, NowBoard, shown
from export_app.web.event_stream import EventStream
from tests.api_server import ApiServer, serving
from tests.databases import store
from tests.factories import DETAILS, UP, call, call_row
from tests.recorded_details import legs_heard
from tests.waiting import wait_until
from tests.waiting_callers import wait_in
from tollbook.errors import StoreUnavailable
from tollbook.model.accounts import Accounts, EveryAccount, OneAccount
from tollbook.model.agents.change import AgentChange
from tollbook.model.charge import Price
from tollbook.model.fold import FoldSettings
from tollbook.store import keys, sessions
from tollbook.store.agents.changes import AgentNews, write_news
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions

WAITS = "queue_caller_abandons"


@pytest.fixture
def busy(accounts: Connection) -> Connection:
    """Of acme: a call that talks, one of today in a queue, and one that has ended; of other: one that is up."""
    now = time.time_ns() // 1_000_000
    store(
        accounts,
        (call_row("talks", "acme", now - 60_000, queue_id="sales", agent_id="bob", **UP), None),
        (call_row("theirs", "other", now - 30_000, from_num="secret", queue_id="sales", **UP), None),
        call("served", start_ts=now - 1000, queue_id="sales", agent_id="bob", details=DETAILS),
        with_legs=True,
    )
    return accounts


@pytest.fixture
def served(busy: Connection, database_url: str, tmp_path: Path) -> Iterator[ApiServer]:
    with serving(database_url, tmp_path / "serve.log") as server:
        yield server


@contextmanager
def stream(server: ApiServer, headers: dict[str, str], path: str = "/v1/now/stream") -> Iterator[HTTPResponse]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()  # the socket is its own from now on
    try:
        yield response
    finally:
        response.close()
        connection.close()


def event(response: HTTPResponse, kind: str = "") -> dict[str, Any]:
    """Read on to the next event of a kind, and return it; raises TimeoutError when others come for ever."""
    seen, until_s = "", time.monotonic() + 60
    while time.monotonic() < until_s:
        if not (line := response.readline()):
            raise EOFError
        if line.startswith(b"event: "):
            seen = line[7:].decode().strip()
        elif line.startswith(b"data: "):
            if seen == kind:
                return json.loads(line[6:])
            seen = ""
    raise TimeoutError


def read_to_its_end(response: HTTPResponse) -> None:
    """Read all events that still come; raises TimeoutError when it does not end: what is unchanged is said for ever."""
    until_s = time.monotonic() + 60
    while time.monotonic() < until_s:
        if not response.readline():
            return
    raise TimeoutError


def ask(server: ApiServer, path: str, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
    answer, body = server.get(path, headers=headers)
    return answer.status, json.loads(body)


def send(server: ApiServer, method: str, path: str, key: str, body: object = None) -> tuple[int, dict[str, Any]]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    headers = {"x-api-key": key, "Content-Type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    try:
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_a_stream_tells_what_changes_and_ends_with_its_key(
    served: ApiServer, busy: Connection, other_key: str, operator_key: str
) -> None:
    """At once, then at each change, to each its own; no thread waits with it; it ends as the session does."""
    made, key = keys.create(busy, account_id="acme", scopes=["*"])
    token, _ = sessions.start(busy, made.key_id, valid_s=60)
    cookie = {"Cookie": f"tollbook_session={token}"}
    with (
        stream(served, {"x-api-key": key}) as mine,
        stream(served, cookie) as page,
        stream(served, {"x-api-key": other_key}) as theirs,
        stream(served, {"x-api-key": operator_key}, "/v1/now/stream?account=other") as operators,
    ):
        assert mine.getheader("Content-Type") == "text/event-stream"
        first = event(mine)
        assert (first["calls"]["up"], first["calls"]["talking"]) == (1, 1)
        (queue,) = first["queues"]
        assert (queue["queue_id"], queue["answered"], queue["longestWaitMs"]) == ("sales", 1, DETAILS.wait_ms)
        assert first["day"] == {name: value for name, value in queue.items() if not name.endswith("_id")}
        assert first["agents"] == {"states": {}, "agents": []}
        assert event(page)["calls"] == first["calls"]
        seen = event(theirs)
        assert (seen["calls"]["up"], seen["queues"], seen["agents"]) == (1, None, None)
        assert event(operators)["calls"]["up"] == 1
        busy.execute("UPDATE call_cdr SET answered = 0, answer_ts = NULL, billsec = NULL WHERE call_id = 'talks'")
        assert event(mine)["calls"]["talking"] == 0
        assert event(mine, "unchanged")["now_ts"] > first["now_ts"]  # what is not said anew is known to be so still
        busy.execute("DELETE FROM api_session")
        read_to_its_end(page)
        keys.revoke(busy, made.key_id)
        read_to_its_end(mine)
    assert "a request does not end" not in served.output


def test_streams_are_bounded_and_hold_nothing(served: ApiServer, key: str, other_key: str) -> None:
    """So many of a key; the next is refused, others' are not; who leaves makes room; the server stops with all open."""
    opened = [stream(served, {"x-api-key": key}) for _ in range(MAX_STREAMS_PER_KEY)]
    responses = [one.__enter__() for one in opened]
    assert [event(one)["calls"]["up"] for one in responses] == [1] * MAX_STREAMS_PER_KEY
    with stream(served, {"x-api-key": key}) as refused:
        assert refused.status == 429  # before it is read: a stream has no end
        assert json.loads(refused.read())["code"] == "too_many_at_once"
    with stream(served, {"x-api-key": other_key}) as other:
        assert event(other)["calls"]["up"] == 1
    assert ask(served, "/v1/now", {"x-api-key": key})[1]["calls"]["up"] == 1
    opened.pop().__exit__(None, None, None)

    def has_room() -> bool:
        with stream(served, {"x-api-key": key}) as again:
            return again.status == 200

    wait_until(has_room, 10)
    began = time.monotonic()
    assert served.stop() == 0
    assert time.monotonic() - began < 8
    for one in opened:
        one.__exit__(None, None, None)


class _Partly(NowBoard):
    """Cannot read one account, as when its question takes too long."""

    def of(self, accounts: Accounts) -> Now:
        if accounts == OneAccount("acme"):
            raise StoreUnavailable("canceling statement due to statement timeout")
        return super().of(accounts)


def test_an_account_that_cannot_be_read_holds_up_no_other(busy: Connection, services: Services) -> None:
    feeds = Feeds(_Partly(services.database, "UTC"), services.database)
    streams = dict[str, EventStream]()
    for account in ("acme", "other"):
        key, _ = keys.create(busy, account_id=account, scopes=["*"])
        row = busy.execute("SELECT key_hash FROM api_key WHERE key_id = %s", (key.key_id,)).fetchone()
        assert row is not None
        streams[account] = feeds.add(Viewer(accounts=OneAccount(account), owner=bytes(row[0])))
        streams[account].attach(lambda: None)
    wait_until(lambda: streams["other"].take()[0].startswith(b"data: "), 10)
    assert streams["acme"].take() == (b"", False)
    for one in streams.values():
        one.close()


def test_what_cannot_be_read_holds_up_no_other_account(
    served: ApiServer, database_url: str, key: str, other_key: str
) -> None:
    """A hundred who ask while PostgreSQL does not answer: a few wait, the others are refused, and all else goes on."""
    question = f"GET /v1/now HTTP/1.1\r\nHost: t\r\nx-api-key: {key}\r\n\r\n".encode()
    with psycopg.connect(database_url) as holder, ExitStack() as opened:
        holder.execute("LOCK TABLE agent_window IN ACCESS EXCLUSIVE MODE")
        for _ in range(100):
            asking = opened.enter_context(socket.create_connection(("127.0.0.1", served.port)))
            asking.sendall(question)
        for _ in range(3):
            assert ask(served, "/v1/whoami", {"x-api-key": other_key})[0] == 200
        holder.rollback()


class _Failing(NowBoard):
    """Of which each reading fails, after a while."""

    def _read(self, accounts: Accounts, kept: object) -> Now:
        del accounts, kept
        self.reads += 1
        time.sleep(0.3)
        raise StoreUnavailable("canceling statement due to statement timeout")


def test_those_who_wait_share_a_failure(services: Services) -> None:
    board = _Failing(services.database, "UTC")

    def read(_: int) -> str:
        with pytest.raises(StoreUnavailable) as raised:
            board.of(EveryAccount())
        return str(raised.value)

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(read, range(8)))) == 1
    assert board.reads == 1


def test_since_when_an_agent_does_what_it_does_does_not_move(busy: Connection, services: Services) -> None:
    """What began before what is read has no time, which would change, and be told, each time."""
    long_ago_us = (time.time_ns() // 1000) - 5 * 3_600_000_000
    said = [("status", "Available"), ("state", "Waiting")]
    changes = [AgentChange("fs1", "bob", kind, long_ago_us, number, to) for number, (kind, to) in enumerate(said, 1)]
    write_news(busy, AgentNews(changes=changes))
    (agent,) = NowBoard(services.database, "UTC").of(EveryAccount()).agents
    assert (agent.agent_id, agent.since_ts) == ("bob", None)


def test_callers_are_counted_by_queue_and_a_link_shows_its_own(
    served: ApiServer, busy: Connection, key: str, operator_key: str
) -> None:
    """To the account with number and name; by a link without; nobody of another queue or account."""
    now_us = time.time_ns() // 1000
    waits = [("acme", "sales", "+4911", 9), ("acme", "sales", "+4922", 40), ("acme", "else", "+4933", 99),
             ("other", "sales", "+4944", 99)]  # fmt: skip
    for number, (account, queue, from_num, since_s) in enumerate(waits):
        wait_in(busy, f"waits{number}", account, queue, from_num, now_us - since_s * 1_000_000)
    calls = ask(served, "/v1/now", {"x-api-key": key})[1]["calls"]
    assert [(one["from_num"], one["account_id"]) for one in calls["callers"]] == [
        ("+4933", "acme"), ("+4922", "acme"), ("+4911", "acme"),
    ]  # fmt: skip
    of_queues = [(one["queue_id"], one["account_id"], one["waiting"]) for one in calls["queues"]]
    assert sorted(of_queues) == [("else", "acme", 1), ("sales", "acme", 2)]
    (sales,) = (one for one in calls["queues"] if one["queue_id"] == "sales")
    assert (sales["up"], sales["talking"], sales["waiting_ts"]) == (3, 1, (now_us - 40_000_000) // 1000)
    every = ask(served, "/v1/now", {"x-api-key": operator_key})[1]["calls"]
    assert {(one["queue_id"], one["account_id"], one["waiting"]) for one in every["queues"]} == {
        *of_queues, ("sales", "other", 1),
    }  # fmt: skip
    wanted = {"account": "acme", "queue_id": "sales", "days": 1}
    token = send(served, "POST", "/v1/wallboard/links", operator_key, wanted)[1]["token"]
    shown = ask(served, "/v1/now", {"Authorization": f"Bearer {token}"})[1]
    assert [(one["queue_id"], one["account_id"], one["waiting"]) for one in shown["calls"]["queues"]] == [
        ("sales", None, 2)
    ]
    for hidden in ("+49", "acme", "other", "else", "bob"):
        assert hidden not in json.dumps(shown)


def test_all_agents_are_counted_and_some_are_listed(
    busy: Connection, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whom the switch has removed is neither, and takes no other's place."""
    monkeypatch.setattr(figures, "MAX_AGENTS", 1)
    at_us = time.time_ns() // 1000 - 60_000_000
    said = [("status", "Available"), ("state", "Waiting")]
    changes = [AgentChange("fs1", agent, kind, at_us, 1, to) for agent in ("ann", "bob", "eve") for kind, to in said]
    write_news(busy, AgentNews(changes=[*changes, AgentChange("fs1", "ann", "removed", at_us + 1_000_000, 0, "")]))
    now = NowBoard(services.database, "UTC").of(EveryAccount())
    agents: Any = shown(now, queue=None, calls=False, queues=False, agents=True)["agents"]
    assert agents["states"] == {"ready": 2}
    assert [agent["agent_id"] for agent in agents["agents"]] == ["bob"]


def test_a_link_shows_one_queue_and_nothing_else(
    served: ApiServer, busy: Connection, key: str, operator_key: str
) -> None:
    """No number, agent, other queue or other account; nothing else of the API; until it is deleted or its key ends."""
    wanted = {"account": "acme", "queue_id": "sales", "days": 1}
    assert send(served, "POST", "/v1/wallboard/links", key, wanted)[1]["code"] == "missing_scope"
    assert send(served, "GET", "/v1/wallboard/links", key)[0] == 403
    status, made = send(served, "POST", "/v1/wallboard/links", operator_key, wanted)
    assert status == 201, made
    token = made["token"]
    link = {"Authorization": f"Bearer {token}"}
    assert ask(served, "/v1/now", {**link, "x-api-key": key})[1]["code"] == "two_keys"
    shown = ask(served, "/v1/now", link)[1]
    assert (shown["queue_id"], shown["calls"]["up"], shown["agents"]) == ("sales", 1, None)
    assert "secret" not in json.dumps(shown)
    assert "acme" not in json.dumps(shown)
    assert ask(served, "/v1/now?account=other", link)[1]["code"] == "unknown_parameter"
    for path in ("/v1/calls", "/v1/stats", "/v1/whoami", "/v1/queues", "/v1/wallboard/links", "/v1/calls/talks"):
        assert ask(served, path, link)[0] == 401
    other = send(served, "POST", "/v1/wallboard/links", operator_key, wanted | {"queue_id": "else"})[1]
    elsewhere = {"Authorization": f"Bearer {other['token']}"}
    assert ask(served, "/v1/now", elsewhere)[1]["calls"]["up"] == 0
    assert ask(served, "/v1/now", elsewhere)[1]["queues"] == []
    assert (
        send(served, "POST", "/v1/wallboard/links", operator_key, wanted | {"account": "x"})[1]["code"]
        == "unknown_account"
    )
    assert token not in str(busy.execute("SELECT wallboard_link::text FROM wallboard_link").fetchall())
    with stream(served, link) as watched:
        assert event(watched)["calls"]["up"] == 1
        assert send(served, "DELETE", f"/v1/wallboard/links/{made['id']}", operator_key)[0] == 200
        read_to_its_end(watched)
    assert ask(served, "/v1/now", link)[1]["code"] == "unknown_link"
    short = send(served, "POST", "/v1/wallboard/links", operator_key, wanted)[1]
    expired = {"Authorization": f"Bearer {short['token']}"}
    with stream(served, expired) as watched:
        assert event(watched)["calls"]["up"] == 1
        busy.execute(
            "UPDATE wallboard_link SET created_at = now() - interval '1 day', expires_at = now() WHERE link_id = %s",
            (short["id"],),
        )
        read_to_its_end(watched)
    assert ask(served, "/v1/now", expired)[1]["code"] == "unknown_link"
    busy.execute("UPDATE api_key SET revoked_at = now() WHERE account_id IS NULL")
    assert ask(served, "/v1/now", elsewhere)[1]["code"] == "unknown_link"


def test_a_caller_waits_from_joining_a_queue_to_leaving_it(busy: Connection, services: Services) -> None:
    """A recorded call, heard up to each of its events: who waits, since when, where; many readers cost one read."""
    board = NowBoard(services.database, "UTC")
    heard = legs_heard(WAITS)
    waited: list[list[int | None]] = []
    queues = set[str | None]()
    for leg in heard:
        write_batch(busy, [leg], FoldSettings(), lambda row: Price(cost_micros=0, parts=()), Partitions())
        board.forget()
        calls = [one for one in board.of(EveryAccount()).calls if one.call_id not in ("talks", "theirs")]
        waited.append([one.waiting_since for one in calls])
        queues |= {one.queue_id for one in calls if one.waiting_since is not None}
    joined = {at // 1000 for leg in heard if leg.noted for at in leg.noted.joined_us}
    assert waited[0] == [None]
    assert waited[-1] == []
    assert {one for found in waited for one in found} == {None, *joined}
    assert queues == {"solo@default"}  # from the first moment on, before an agent was rung
    before = board.reads
    for _ in range(5):
        board.of(EveryAccount())
    assert board.reads == before
