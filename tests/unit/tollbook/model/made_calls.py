"""The details of calls that are made event by event."""

from tests.factories import created, ended
from tests.folded import rows
from tollbook.model.details import Details
from tollbook.model.event import SwitchEvent


def details(*events: SwitchEvent) -> Details:
    """The details of the one call that these events make."""
    (row,) = rows(*events)
    assert row.end_ts is not None
    return row.details


def ended_as(event: SwitchEvent, disposition: str, *, hangup_s: float, **facts: object) -> list[SwitchEvent]:
    """A leg from its creation to its end, which says who ended it."""
    answered_s = facts.pop("answered_s", 1.0)
    assert answered_s is None or isinstance(answered_s, float)
    end = ended(event, answered_s=answered_s, hangup_s=hangup_s, hangup_disposition=disposition, **facts)
    return [event, end]


def desk(uid: str = "b", parent: str = "a", **facts: str) -> SwitchEvent:
    channel = {"channel_direction": "outbound", "channel": f"sofia/internal/{uid}"}
    return created(uid, at_s=0.1, **({"originator": parent} | channel | facts))
