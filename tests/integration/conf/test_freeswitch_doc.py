"""docs/freeswitch.md shows XML that FreeSWITCH can read, what conf/ has, and the events that are subscribed to."""

import re
from xml.etree import ElementTree

import pytest

from esl_listener.switch import EVENTS
from tests.paths import ROOT

DOCUMENT = (ROOT / "docs" / "freeswitch.md").read_text()
CONF = ROOT / "conf" / "freeswitch"
XML = re.findall(r"^```xml\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
EVENT_NAMES, _, SUBCLASSES = EVENTS.partition(" CUSTOM ")


def params(xml: str) -> list[tuple[str, str]]:
    """Name and value of each <param>, in order."""
    return [(param.attrib["name"], param.attrib["value"]) for param in ElementTree.fromstring(xml).iter("param")]


@pytest.mark.parametrize("block", XML)
def test_xml_is_well_formed(block: str) -> None:
    """Every snippet can stand in a file of FreeSWITCH's."""
    assert list(ElementTree.fromstring(f"<file>{block}</file>"))


@pytest.mark.parametrize("file", ["event_socket.conf.xml", "json_cdr.conf.xml"])
def test_what_is_shown_of_a_file_is_what_conf_has(file: str) -> None:
    """The first snippet after the link to a file has all its parameters, but for nat-map, a default."""
    after = DOCUMENT.partition(f"conf/freeswitch/{file})")[2]
    shown = re.search(r"^```xml\n(.*?)^```$", after, re.DOTALL | re.MULTILINE)
    assert shown
    ours = [param for param in params((CONF / file).read_text()) if param[0] != "nat-map"]
    assert sorted(params(f"<file>{shown[1]}</file>")) == sorted(ours)


def test_the_events_are_those_that_are_subscribed_to() -> None:
    """The table has each, and no other."""
    table = DOCUMENT.partition("### What is subscribed to")[2].partition("\n## ")[0]
    named = re.findall(r"`([^`]+)`", " ".join(re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)))
    assert sorted(named) == sorted([*EVENT_NAMES.split(), *(f"CUSTOM {name}" for name in SUBCLASSES.split())])


def test_the_outcall_line_is_the_same_everywhere() -> None:
    """What the switch needs for conferences that call out is one line, in calls.md and here."""
    line = "conference_auto_outcall_prefix={cdr_parent=${uuid}}"
    assert line in DOCUMENT
    assert line in (ROOT / "docs" / "calls.md").read_text()
