"""Callers who wait in a queue now, written as the listener hears of them."""

from tollbook.model.charge import Price
from tollbook.model.event import SwitchEvent
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import leg_of
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions


def wait_in(database: Connection, call_id: str, account: str, queue: str, from_num: str, since_us: int) -> None:
    """Let a call wait in a queue since then, epoch µs; no agent was rung yet."""
    _hear(
        database,
        SwitchEvent(
            name="CHANNEL_CREATE", at_us=since_us - 10, uid=call_id, created_us=since_us - 10, caller=from_num,
            account=account, channel="sofia/external/x", channel_direction="inbound",
        ),
        SwitchEvent(
            name="CUSTOM", subclass="callcenter::info", cc_action="member-queue-start", queue=queue, at_us=since_us,
            uid=call_id, created_us=since_us - 10,
        ),
    )  # fmt: skip


def leave(database: Connection, call_id: str, since_us: int, at_us: int) -> None:
    """Let a call that has waited since then hang up; both epoch µs."""
    _hear(
        database,
        SwitchEvent(
            name="CHANNEL_HANGUP_COMPLETE", at_us=at_us, uid=call_id, created_us=since_us - 10, hangup_us=at_us,
            cause="ORIGINATOR_CANCEL", channel="sofia/external/x", channel_direction="inbound",
        ),
    )  # fmt: skip


def _hear(database: Connection, *events: SwitchEvent) -> None:
    legs = [leg for event in events if (leg := leg_of(event, "fs1"))]
    write_batch(database, legs, FoldSettings(), lambda row: Price(cost_micros=0, parts=()), Partitions())
