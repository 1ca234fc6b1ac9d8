"""The end of a leg whose creation waits is read for less: of what only a creation states, nothing is missed."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from esl_listener.decoder import Decoder
from tests.fuzz.wire import Wire
from tests.paths import CALLS, DETAILS
from tests.recorded import SWITCH
from tests.recorded_details import rows_of
from tests.unit.esl_listener.decoded import DECODER, fields
from tollbook.esl.framing import EVENT_JSON, Framer
from tollbook.model.event_kinds import FIELDS_OF_A_CREATED_LEGS_END
from tollbook.model.explain.explain import explain
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Leg, LegKey, leg_of, merge_all
from tollbook.model.parent import Parent
from tollbook.simulator.recording import load

FOLDERS = sorted([*CALLS.iterdir(), *DETAILS.iterdir()])
# What an end that is read short does not have, as nothing says it.
ELSE: dict[str, Any] = {
    **dict.fromkeys(
        ("caller", "ani", "original_dialed", "req_user", "fifo_bridge", "user", "dialed_user", "gateway", "profile"),
        "4999999999",
    ),
    "channel": "loopback/4999999999-b", "host": "198.51.100.99", "source_gateway": "elsewhere", "recovered": True,
    "parent": Parent("nobody", "cdr_parent"),
}  # fmt: skip
KEPT = Decoder("accountcode", "cdr_parent", variables_kept=["sip_h_X-Campaign", "sip_h_Diversion"])


@cache
def bodies(folder: Path) -> list[bytes]:
    return [frame.body for event in load(folder).events for frame in Framer().feed(event.json)]


def heard(folder: Path, *, short: bool) -> list[Leg]:
    """What a recording states; `short`: each end is read without what the creation stated, if that was heard."""
    created: set[LegKey] = set()
    legs: list[Leg] = []
    for body in bodies(folder):
        leg = leg_of(KEPT.decode(EVENT_JSON, body), SWITCH)
        if leg is not None and short and leg.end is not None and leg.key in created:
            leg = leg_of(KEPT.decode(EVENT_JSON, body, created=True), SWITCH)
        if leg is not None:
            legs.append(leg)
            if leg.create is not None:
                created.add(leg.key)
    return legs


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_rows_and_explanations_are_the_same(folder: Path) -> None:
    whole, short = heard(folder, short=False), heard(folder, short=True)
    rows = rows_of(short)
    assert rows == rows_of(whole)
    settings = FoldSettings()
    assert [explain(row, None, short, settings) for row in rows] == [
        explain(row, None, whole, settings) for row in rows
    ]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_no_rule_reads_them_at_the_end_of_a_created_leg(folder: Path) -> None:
    """Whatever the end says there: a recorded end mostly repeats its creation, which alone would show nothing."""
    whole = list(merge_all(heard(folder, short=False)).values())
    wrong = [
        structs.replace(leg, end=structs.replace(leg.end, **ELSE)) if leg.create is not None and leg.end else leg
        for leg in whole
    ]
    rows, settings = rows_of(wrong), FoldSettings()
    assert rows == rows_of(whole)
    assert [explain(row, None, wrong, settings) for row in rows] == [
        explain(row, None, whole, settings) for row in rows
    ]


def test_most_recorded_ends_are_shorter_so() -> None:
    """Otherwise the test above compares nothing."""
    pairs = [
        (whole.end, short.end)
        for folder in FOLDERS
        for whole, short in zip(heard(folder, short=False), heard(folder, short=True), strict=True)
        if whole.end is not None
    ]
    assert sum(whole != short for whole, short in pairs) > 300


def test_only_an_end_is_read_so_and_only_in_json() -> None:
    for body in (body for folder in FOLDERS for body in bodies(folder)):
        whole, short = DECODER.json(body), DECODER.json(body, created=True)
        if whole.name == "CHANNEL_HANGUP_COMPLETE":
            wanted = {name: value for name, value in fields(whole).items() if name in FIELDS_OF_A_CREATED_LEGS_END}
            assert fields(short) == wanted
        else:
            assert fields(short) == fields(whole)


def named(wanted: str) -> list[bytes]:
    """The frames of a call of two legs that have this name, in JSON."""
    frames = [frame for event in load(CALLS / "outbound_answered").events for frame in Framer().feed(event.json)]
    return [frame.raw for frame in frames if DECODER.json(frame.body).name == wanted]


def read_whole(legs: Iterable[Leg]) -> list[bool]:
    return sorted(leg.end.channel != "" for leg in legs if leg.end is not None)


def test_an_end_whose_creation_is_written_already_is_read_whole() -> None:
    """What is put after that is not written with it, and must say by itself whose leg it is."""
    wire = Wire()
    begun, ended = named("CHANNEL_CREATE"), named("CHANNEL_HANGUP_COMPLETE")
    for frame in (*begun, *ended):
        wire.read(frame)
    assert read_whole(wire.legs()) == [False, True]  # the first shows that creations wait
    for frame in begun:
        wire.read(frame)
    wire.legs()
    for frame in ended:
        wire.read(frame)
    assert read_whole(wire.legs()) == [True, True]
