"""Rows folded from events, and the leg to a carrier that most rules are about."""

from typing import Any

from tests.factories import created, legs_of
from tollbook.model.call_tree import calls_of
from tollbook.model.event import SwitchEvent
from tollbook.model.fold import FoldSettings, fold
from tollbook.model.leg import merge_all
from tollbook.model.record import Row


def rows(*events: SwitchEvent, settings: FoldSettings | None = None) -> list[Row]:
    folded = [fold(call, settings or FoldSettings(), "fs1") for call in calls_of(merge_all(legs_of(*events)).values())]
    return sorted(folded, key=lambda row: row.key)


def trunk(uid: str, parent: str, *, at_s: float = 0.1, number: str = "15551230001", **facts: Any) -> SwitchEvent:
    """An outbound leg to a carrier, made for `parent`."""
    given = {"channel_direction": "outbound", "channel": f"sofia/external/{number}", "dialed": number}
    return created(uid, at_s=at_s, **(given | {"originator": parent, "gateway": "carrier"} | facts))
