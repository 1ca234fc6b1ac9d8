"""The same events to NATS JetStream, each once, in order, also after a kill."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen
from uuid import uuid4

import nats
import pytest

from maintenance.deliver.nats_sender import NatsSender
from maintenance.deliver.outcome import Outcome
from tests.commands import BIN, free_port
from tests.databases import store
from tests.factories import UP, call
from tests.integration.maintenance.deliver.conftest import Deliver
from tests.unit.maintenance.deliver.given import delivery
from tests.waiting import wait_until
from tollbook.store.database import Connection


class NatsServer:
    """A real server with JetStream, on a port of loopback."""

    def __init__(self, folder: Path) -> None:
        self.port, self._monitor = free_port(), free_port()
        self._command = [
            str(BIN / "nats-server"), "-js", "-a", "127.0.0.1", "-p", str(self.port), "-sd", str(folder), "--user",
            "tollbook", "--pass", "secret", "-m", str(self._monitor),
        ]  # fmt: skip
        self.url = f"nats://tollbook:secret@127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def answers(self) -> bool:
        """Say whether it takes connections."""
        try:
            return self.connections() >= 0
        except OSError:
            return False

    def connections(self) -> int:
        """Return how many connections there are."""
        with urlopen(f"http://127.0.0.1:{self._monitor}/connz", timeout=5) as answer:
            return json.load(answer)["num_connections"]

    def messages(self) -> list[tuple[str, dict[str, str], dict[str, object]]]:
        """Return subject, headers and body of all messages of the stream."""

        async def read() -> list[tuple[str, dict[str, str], dict[str, object]]]:
            client = await nats.connect(self.url, connect_timeout=2, allow_reconnect=False)
            try:
                stream = client.jetstream()
                state = (await stream.stream_info("TOLLBOOK")).state
                found = [await stream.get_msg("TOLLBOOK", seq) for seq in range(1, state.last_seq + 1)]
                return [(str(one.subject), dict(one.headers or {}), json.loads(one.data or b"")) for one in found]
            except nats.errors.Error:
                return []
            finally:
                await client.close()

        try:
            return asyncio.run(read())
        except (OSError, nats.errors.Error):
            return []


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    """A NATS server."""
    started = NatsServer(tmp_path / "nats")
    yield started
    started.kill()


def test_every_account_s_events_go_to_nats(calls: Connection, deliver: Deliver, server: NatsServer) -> None:
    """As CloudEvents, in the order of each call, those of calls without an account too."""
    deliver(nats=server.url)
    store(calls, call("a", "acme"), call("b", None))
    store(calls, call("c", "acme", **UP))
    wait_until(lambda: len(server.messages()) >= 8, 20)
    found = server.messages()
    assert [(subject, body["type"]) for subject, _, body in found if body["subject"] == "a"] == [
        (f"tollbook.acme.{event}", event) for event in ("call.started", "call.answered", "call.ended")
    ]
    assert {subject for subject, _, body in found if body["subject"] == "b"} == {
        "tollbook._.call.started", "tollbook._.call.answered", "tollbook._.call.ended",
    }  # fmt: skip
    assert all(headers["Nats-Msg-Id"] == body["id"] for _, headers, body in found)
    ((url, kind),) = calls.execute("SELECT url, kind FROM webhook").fetchall()
    assert (url, kind) == (f"127.0.0.1:{server.port}", "nats")  # without the password


def test_a_killed_server_and_a_killed_process_lose_and_double_nothing(
    calls: Connection, deliver: Deliver, server: NatsServer
) -> None:
    process = deliver(nats=server.url)
    for number in range(20):
        store(calls, call(f"c{number}"))
        if number == 5:
            server.kill()
        if number == 10:
            process.kill()
            process = deliver(nats=server.url)
        if number == 15:
            server.start()
    wait_until(lambda: len(server.messages()) >= 60, 30, what=lambda: process.output[-2000:])
    bodies = [body for _, _, body in server.messages()]
    assert len({body["id"] for body in bodies}) == len(bodies) == 60
    for number in range(20):
        events = [body["type"] for body in bodies if body["subject"] == f"c{number}"]
        assert events == ["call.started", "call.answered", "call.ended"]


def test_without_the_setting_nothing_is_noted_for_nats(calls: Connection, deliver: Deliver, server: NatsServer) -> None:
    deliver(nats=server.url).end()
    store(calls, call("kept"))
    assert calls.execute("SELECT count(*) FROM call_event").fetchone() == (3,)
    deliver().end()
    store(calls, call("for nobody"))
    assert calls.execute("SELECT count(*) FROM call_event").fetchone() == (3,)


def test_many_at_once_share_a_connection_and_a_stream_that_was_deleted_is_made_again(server: NatsServer) -> None:
    async def run() -> None:
        sender, made = NatsSender(server.url), list[Outcome]()
        try:
            for expected in ([""] * 16, ["NoStreamResponseError"] * 16, [""] * 16):
                outcomes = await asyncio.gather(
                    *(sender.publish(delivery(event_id=uuid4()), "tollbook.acme.test", b"{}") for _ in range(16))
                )
                assert [outcome.error.partition(":")[0] for outcome in outcomes] == expected
                assert await asyncio.to_thread(server.connections) == 1
                if not made:
                    client = await nats.connect(server.url)
                    await client.jetstream().delete_stream("TOLLBOOK")
                    await client.close()
                made += outcomes
        finally:
            await sender.close()

    wait_until(server.answers, 10)
    asyncio.run(run())
