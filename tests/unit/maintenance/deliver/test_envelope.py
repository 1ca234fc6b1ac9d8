"""What is sent: sip.io's envelope and names, and ours; to an account what an account may see."""

import json
from typing import Any

import pytest

from maintenance.deliver.envelope import cloud_event, envelope, nats_subject
from tests.factories import START_MS
from tests.unit.maintenance.deliver.given import ROW, delivery
from tollbook.model.presentation import Presentation
from tollbook.model.record import COLUMNS
from tollbook.model.recordings import RecordingPaths
from tollbook.store.events.queue import Delivery

ACCOUNT = Presentation(hides_carriers=True, whole_paths=False, recordings=RecordingPaths(url="https://rec/{path}"))
OPERATOR = Presentation(hides_carriers=False, whole_paths=True, recordings=RecordingPaths())


def sent(of: Delivery, presentation: Presentation = ACCOUNT) -> dict[str, Any]:
    return json.loads(envelope(of, presentation))


def test_an_ended_call_has_the_fields_of_sipio_and_ours() -> None:
    body = sent(delivery())
    assert list(body) == ["event", "account_id", "data", "ts"]
    assert (body["event"], body["account_id"], body["ts"]) == ("call.ended", "acme", START_MS + 64_020)
    data = body["data"]
    assert {name: data[name] for name in (
        "callId", "direction", "answered", "billsec", "hangup_cause", "queue_id", "agent_id", "ts", "from", "to",
    )} == {
        "callId": "a", "direction": "outbound", "answered": 1, "billsec": 60, "hangup_cause": "NORMAL_CLEARING",
        "queue_id": None, "agent_id": None, "ts": START_MS + 64_000, "from": "1001", "to": "+4930123456",
    }  # fmt: skip
    assert set(COLUMNS) <= set(data)
    assert (data["currency"], data["revision"], data["cost_micros"]) == ("EUR", 1, 21_000)


@pytest.mark.parametrize(
    ("event", "at_ms"),
    [("call.started", START_MS), ("call.answered", START_MS + 4_000), ("call.updated", START_MS + 64_000)],
)
def test_the_time_is_when_it_happened(event: str, at_ms: int) -> None:
    assert sent(delivery(event=event))["data"]["ts"] == at_ms


def test_a_call_that_starts_has_the_names_of_sipio() -> None:
    up = ROW | dict.fromkeys(("answer_ts", "end_ts", "billsec", "disposition", "cost_micros", "source_ip"))
    data = sent(delivery(event="call.started", revision=0, record=up))["data"]
    assert {name: data[name] for name in ("callId", "from", "to", "src_ip", "ts")} == {
        "callId": "a", "from": "1001", "to": "+4930123456", "src_ip": None, "ts": START_MS,
    }  # fmt: skip


def test_an_account_does_not_learn_who_the_carriers_are() -> None:
    """Neither gateway nor status, nor the address of a carrier's leg; an operator does."""
    row = ROW | {"trunk_root": True}
    ours, theirs = sent(delivery(record=row))["data"], sent(delivery(record=row), OPERATOR)["data"]
    assert not {"gateway", "sip_status", "trunk_root"} & set(ours)
    assert (ours["source_ip"], ours["src_ip"]) == (None, None)
    assert (theirs["gateway"], theirs["src_ip"]) == ("carrier", ROW["source_ip"])
    assert sent(delivery())["data"]["src_ip"] == ROW["source_ip"]  # of the account's own phone


def test_recordings_are_shown_as_in_the_api() -> None:
    """Below the root, with the address at which they are served."""
    assert sent(delivery())["data"]["recordings"] == [{"path": "acme/1.wav", "url": "https://rec/acme/1.wav"}]


def test_a_call_that_was_lost_has_its_key_alone() -> None:
    data = sent(delivery(event="call.updated", record={"removed": True}))["data"]
    assert data == {
        "callId": "a", "call_id": "a", "start_ts": START_MS, "switch": "fs1", "revision": 1, "removed": True,
        "ts": START_MS + 64_020,
    }  # fmt: skip


def test_a_test_has_no_call() -> None:
    body = sent(delivery(event="test", call_id=None, start_ts=None, switch=None, record=None))
    assert (body["event"], list(body["data"])) == ("test", ["message", "ts"])


def test_a_cloud_event_has_what_the_standard_wants() -> None:
    event = json.loads(cloud_event(delivery(), ACCOUNT))
    assert event.pop("data") == sent(delivery())["data"]
    assert event == {
        "specversion": "1.0", "id": "evt_" + "0" * 31 + "5", "source": "/tollbook", "type": "call.ended",
        "time": "2026-09-21T14:14:24.143Z", "datacontenttype": "application/json", "subject": "a", "revision": 1,
        "accountid": "acme",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("account", "subject"),
    [
        ("acme", "tollbook.acme.call.ended"), (None, "tollbook._.call.ended"), ("", "tollbook._.call.ended"),
        ("a.b c>*", "tollbook.a%2Eb%20c%3E%2A.call.ended"), ("ü", "tollbook.%C3%BC.call.ended"),
    ],
)  # fmt: skip
def test_no_account_can_change_the_subject(account: str | None, subject: str) -> None:
    assert nats_subject(delivery(account_id=account)) == subject
