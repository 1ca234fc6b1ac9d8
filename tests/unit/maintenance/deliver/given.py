"""Deliveries and endpoints, whole by default."""

from typing import Any
from uuid import UUID

from tests.factories import DETAILS, START_MS, call_row
from tollbook.store.events.queue import Delivery, Endpoint

ROW: dict[str, Any] = {
    **{name: getattr(call_row(), name) for name in (
        "call_id", "account_id", "direction", "from_num", "to_num", "start_ts", "answer_ts", "end_ts", "duration_sec",
        "billsec", "answered", "disposition", "hangup_cause", "queue_id", "agent_id", "switch", "estimated",
    )},
    "cost_micros": 21_000, "currency": "EUR", "revision": 1, "unrated": None, "trunk_root": None,
    **{name: getattr(DETAILS, name) for name in ("pdd_ms", "source_ip", "gateway", "sip_status", "voicemail")},
    "recordings": ["/var/lib/freeswitch/recordings/acme/1.wav"],
}  # fmt: skip


def delivery(**changed: Any) -> Delivery:
    """Return a delivery of call.ended."""
    fields: dict[str, Any] = {
        "webhook_id": 1, "seq": 7, "attempts": 0, "failed_for_s": 0.0, "event_id": UUID(int=5), "event": "call.ended",
        "account_id": "acme", "start_ts": START_MS, "call_id": "a", "switch": "fs1", "revision": 1,
        "made_ms": START_MS + 64_020, "record": ROW,
    }  # fmt: skip
    return Delivery(**fields | changed)


def endpoint(webhook_id: int = 1, **changed: Any) -> Endpoint:
    """Return an endpoint that works."""
    fields: dict[str, Any] = {
        "webhook_id": webhook_id, "account_id": "acme", "kind": "webhook", "url": "https://example.com/",
        "secret": "whsec_c2VjcmV0", "failures": 0, "failing_for_s": 0.0, "paused_s": 0.0,
    }  # fmt: skip
    return Endpoint(**fields | changed)
