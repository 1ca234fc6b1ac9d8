"""`GET /v1/stats` of queues and agents: recorded calls against figures by hand, and calls of every outcome."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient

from export_app.stats.schema import Stats
from tests.databases import store
from tests.factories import BUSY, SECOND_US, START_US, UP, call_row, created, ended, legs_of, price_of
from tests.recorded import recorded_legs
from tests.recorded_details import DELAY_MS, NAMES, legs_heard
from tollbook.model.charge import Price
from tollbook.model.details import Details
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Leg
from tollbook.model.record import Row
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions
from tollbook.times import MS_PER_DAY

Ask = Callable[..., dict[str, Any]]

# What the SIP peers measured of each recorded call, in ms: from the queue's start to the agent's 200 OK, or to the
# caller's BYE; and from that 200 OK to the first BYE to or from the agent.
MEASURED = {
    ("support@default", "agent2"): [(5565, 8464)],
    ("support@default", "agent1"): [(2222, 6803)],
    ("solo@default", "agent3"): [(3237, 8010), (2283, 6742)],
    ("solo@default", None): [(5004, None)],
    ("busyq@default", None): [(6020, None)],
    ("statusq@default", "agent4"): [(1296, 2742)],
    ("ringall@default", "agent2"): [(2234, 5804)],
}
# By hand from MEASURED: offered, answered, abandoned; ASA, longest wait and AHT in ms; answered within 5 s.
QUEUES = {
    "support@default": (2, 2, 0, 3893.5, 5565, 7633.5, 0.5),
    "solo@default": (3, 2, 1, 2760, 5004, 7376, 0.666667),
    "busyq@default": (1, 0, 1, None, 6020, None, 0.0),
    "statusq@default": (1, 1, 0, 1296, 1296, 2742, 1.0),
    "ringall@default": (1, 1, 0, 2234, 2234, 5804, 1.0),
}
AGENTS = {"agent1": (1, 6803), "agent2": (2, 7134), "agent3": (2, 7376), "agent4": (1, 2742)}

# The older recordings, whose peers measured nothing: offered, answered, abandoned, and the share answered within 20 s.
# Two queues are mod_fifo's, which states no wait; a standby agent served one of two callers.
OLDER = {
    "support@default": (5, 4, 1, 0.8),
    "empty@default": (1, 0, 1, 0.0),
    "cool_fifo@127.0.0.1": (1, 1, 0, None),
    "eq@127.0.0.1": (1, 0, 1, None),
    "ringall@default": (1, 1, 0, 1.0),
}
OLDER_NAMES = (
    "queue_agent_busy_then_answers", "queue_answered_by_agent", "queue_inbound_external", "queue_abandoned", "standby",
    "fifo_enterprise", "fifo_in_and_out", "c2c_queue_ringall",
)  # fmt: skip


@pytest.fixture
def ask(client: FlaskClient, accounts: Connection, operator_key: str) -> Ask:
    """Ask with the operator's key for all calls, and return the answer, which is as the document says."""

    def stats(**parameters: object) -> dict[str, Any]:
        asked = {"since": 1_780_000_000_000, "until": 1_800_000_000_000} | parameters
        answer = client.get("/v1/stats", query_string=asked, headers={"x-api-key": operator_key})
        assert answer.status_code == 200, answer.text
        Stats.model_validate_json(answer.data)
        return json.loads(answer.data)

    return stats


def _free(_: Row) -> Price:
    return Price(cost_micros=0, parts=())


def write(database: Connection, recordings: Sequence[Sequence[Leg]]) -> None:
    """Store recorded calls as the listener does."""
    database.autocommit = False
    for legs in recordings:
        write_batch(database, legs, FoldSettings(), _free, Partitions())
    database.commit()
    database.autocommit = True


def by(body: dict[str, Any], member: str) -> dict[str, dict[str, Any]]:
    return {group[member]: group for group in body["groups"] if group[member] is not None}


def close_to(value: float | None) -> object:
    return value if value is None else pytest.approx(value, abs=DELAY_MS)


def test_the_recorded_queues_have_the_figures_that_were_worked_out_by_hand(accounts: Connection, ask: Ask) -> None:
    write(accounts, [legs_heard(name) for name in NAMES])
    body = ask(group_by="queue", sl_s=5)
    found = by(body, "queue_id")
    assert found.keys() == QUEUES.keys() == {queue for queue, _ in MEASURED}
    for queue, (offered, answered, abandoned, asa, longest, aht, in_time) in QUEUES.items():
        group = found[queue]
        assert (group["offered"], group["answered"], group["abandoned"], group["overflowed"]) == (
            offered, answered, abandoned, 0,
        )  # fmt: skip
        assert group["abandon_rate"] == pytest.approx(abandoned / offered, abs=1e-6)
        assert group["service_level"] == in_time
        assert (group["asa_ms"], group["longest_wait_ms"], group["aht_ms"]) == (
            close_to(asa), close_to(longest), close_to(aht),
        )  # fmt: skip
        assert "asr" not in group
    total = body["total"]
    assert (body["sl_s"], total["offered"], total["answered"], total["abandoned"]) == (5, 8, 6, 2)
    assert (total["abandon_rate"], total["service_level"]) == (0.25, 0.625)


def test_the_recorded_agents_have_the_figures_that_were_worked_out_by_hand(accounts: Connection, ask: Ask) -> None:
    """Calls, talk and handle time: without the announcement of 3 s that one of agent1's callers heard first."""
    write(accounts, [legs_heard(name) for name in NAMES])
    found = by(ask(group_by="agent"), "agent_id")
    assert found.keys() == AGENTS.keys()
    for agent, (calls, aht) in AGENTS.items():
        group = found[agent]
        assert (group["answered"], group["talk_calls"], group["abandoned"]) == (calls, calls, 0)
        assert (group["talk_ms"], group["aht_ms"]) == (
            pytest.approx(calls * aht, abs=calls * DELAY_MS), close_to(aht),
        )  # fmt: skip


def test_fifos_standby_agents_and_ringing_all_count_as_they_were_recorded(accounts: Connection, ask: Ask) -> None:
    write(accounts, [recorded_legs(name) for name in OLDER_NAMES])
    found = by(ask(group_by="queue"), "queue_id")
    assert {
        queue: (group["offered"], group["answered"], group["abandoned"], group["service_level"])
        for queue, group in found.items()
    } == OLDER
    assert (found["cool_fifo@127.0.0.1"]["asa_ms"], found["cool_fifo@127.0.0.1"]["aht_ms"]) == (None, None)


def queued(call_id: str, disposition: str | None, agent_id: str | None = None, **changed: Any) -> Row:
    """A call of the queue sales that the switch answered; its details by their names."""
    details = {name: changed.pop(name) for name in ("wait_ms", "talk_ms", "voicemail") if name in changed}
    rest = {"disposition": disposition, "agent_id": agent_id} | changed
    return call_row(call_id, queue_id="sales", details=Details(**details), **rest)


#: Each outcome: a row, and whether it is offered, answered, overflowed, abandoned.
OUTCOMES = {
    "an agent took it": (queued("a", "answered", "ann", wait_ms=4000, talk_ms=50_000), (1, 1, 0, 0)),
    "an agent took it, and the switch died": (queued("a", "lost", "ann", wait_ms=4000), (1, 1, 0, 0)),
    "an agent without a name took it": (queued("a", "answered", wait_ms=4000, talk_ms=50_000), (1, 1, 0, 0)),
    "a consumer of mod_fifo took it": (queued("a", "answered"), (1, 1, 0, 0)),
    "it timed out to a phone that was answered": (queued("a", "answered", wait_ms=60_000), (1, 0, 1, 0)),
    "the caller hung up": (queued("a", "abandoned", wait_ms=5000), (1, 0, 0, 1)),
    "it timed out to a mailbox": (queued("a", "abandoned", wait_ms=60_000, voicemail=True), (1, 0, 0, 1)),
    "it timed out to a phone that was busy": (queued("a", "abandoned", wait_ms=60_000), (1, 0, 0, 1)),
    "the switch died while it waited": (queued("a", "lost", wait_ms=9000), (1, 0, 0, 1)),
    "the caller cancelled before the queue answered": (
        queued("a", **BUSY | {"disposition": "cancelled"}),
        (1, 0, 0, 1),
    ),
    "it is up": (queued("a", **UP), (0, 0, 0, 0)),
    "it has no queue": (call_row("a"), (0, 0, 0, 0)),
}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_each_call_of_a_queue_has_one_outcome(accounts: Connection, ask: Ask, outcome: str) -> None:
    """As a group, and in the total; the switch's own answer counts for nothing."""
    row, counts = OUTCOMES[outcome]
    store(accounts, (row, price_of(row)))
    body = ask(group_by="queue")
    for sums in (body["total"], body["groups"][0]):
        found = tuple(sums[name] for name in ("offered", "answered", "overflowed", "abandoned"))
        assert (sums["calls"], found) == (1, counts)


@pytest.mark.parametrize(
    ("in_queue", "desk_s", "counts"),
    [
        ({"cc_queue": "sales", "cc_cause": "cancel"}, (5, 20), (1, 0, 1, 0)),
        ({"cc_queue": "sales", "cc_cause": "cancel"}, (52, 60), (1, 0, 1, 0)),
        ({"cc_queue": "sales", "cc_cause": "cancel"}, None, (1, 0, 0, 1)),
        ({"last_app": "fifo", "last_arg": "sales in"}, (5, 20), (1, 1, 0, 0)),
        ({"last_app": "fifo", "last_arg": "sales in"}, None, (1, 0, 0, 1)),
    ],
    ids=["before the queue", "after the queue", "nobody", "before the fifo", "nobody in the fifo"],
)
def test_whom_a_receptionist_transferred_into_a_queue_is_not_abandoned_there(
    accounts: Connection,
    ask: Ask,
    in_queue: dict[str, str],
    desk_s: tuple[float, float] | None,
    counts: tuple[int, ...],
) -> None:
    """The limit that docs/api.md states: a row does not say whether somebody answered before or after the queue."""
    root = created("caller")
    events = [root, ended(root, answered_s=5, hangup_s=60, **in_queue)]
    if "cc_queue" in in_queue:
        waited = {"name": "CUSTOM", "subclass": "callcenter::info"}
        for action, at_s in (("member-queue-start", 20), ("member-queue-end", 50)):
            at_us = START_US + at_s * SECOND_US
            events.append(msgspec.structs.replace(root, **waited, cc_action=action, at_us=at_us))
    if desk_s:
        desk = created("desk", at_s=1, channel_direction="outbound", originator="caller")
        events += [desk, ended(desk, answered_s=desk_s[0], hangup_s=desk_s[1])]
    write(accounts, [legs_of(*events)])
    sums = by(ask(group_by="queue", since=START_US // 1000 - 1, until=START_US // 1000 + 1), "queue_id")["sales"]
    assert tuple(sums[name] for name in ("offered", "answered", "overflowed", "abandoned")) == counts


def test_a_queue_that_loses_every_caller_has_answered_nobody(accounts: Connection, ask: Ask) -> None:
    rows = [queued(f"a{n}", "abandoned", wait_ms=1000 * n) for n in range(4)]
    store(accounts, *((row, price_of(row)) for row in rows))
    group = by(ask(group_by="queue"), "queue_id")["sales"]
    assert (group["answered"], group["abandon_rate"], group["service_level"]) == (0, 1.0, 0.0)
    assert (group["asa_ms"], group["aht_ms"], group["longest_wait_ms"]) == (None, None, 3000)


def test_the_service_level_counts_a_wait_of_just_that_long(accounts: Connection, ask: Ask) -> None:
    """Who gave up within it was not answered, and a call whose wait is unknown is in neither number."""
    rows = [
        queued(f"a{n}", "answered", "ann", wait_ms=wait, talk_ms=1) for n, wait in enumerate((19_999, 20_000, 20_001))
    ]
    rows += [queued("b", "abandoned", wait_ms=3000), queued("c", "answered")]
    store(accounts, *((row, price_of(row)) for row in rows))
    assert ask(queue_id="sales")["total"]["service_level"] == 0.5
    assert ask(queue_id="sales", sl_s=21)["total"]["service_level"] == 0.75
    assert ask(queue_id="sales", sl_s=0)["total"]["service_level"] == 0.0


def test_a_queue_s_days_have_its_figures(accounts: Connection, ask: Ask) -> None:
    """A queue or an agent that is asked for, not grouped by, gives the same figures, also of days without a call."""
    rows = [queued("a", "answered", "ann", wait_ms=4000, talk_ms=50_000), queued("b", "abandoned", wait_ms=8000)]
    store(accounts, *((row, price_of(row)) for row in rows))
    window = {"since": rows[0].start_ts - MS_PER_DAY, "until": rows[0].start_ts + 1}
    groups = ask(queue_id="sales", group_by="day", **window)["groups"]
    assert [(group["offered"], group["abandon_rate"]) for group in groups] == [(0, None), (2, 0.5)]
    assert ask(agent_id="ann")["total"]["aht_ms"] == 50_000
    assert "asr" in ask(group_by="day", **window)["total"]


def test_an_account_sees_the_queues_of_its_own_calls(
    accounts: Connection, ask: Ask, client: FlaskClient, key: str
) -> None:
    rows = [queued("a", "answered", "ann", wait_ms=1), queued("b", "answered", "bob", account_id="other", wait_ms=1)]
    store(accounts, *((row, price_of(row)) for row in rows))
    assert ask(group_by="agent")["total"]["offered"] == 2
    asked = {"since": 1_780_000_000_000, "group_by": "agent"}
    body = client.get("/v1/stats", query_string=asked, headers={"x-api-key": key}).get_json()
    assert (body["total"]["offered"], [group["agent_id"] for group in body["groups"]]) == (1, ["ann"])
