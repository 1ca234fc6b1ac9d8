"""The dashboard's page repeats lists that JavaScript cannot import: they are those of `tollbook.model.vocabulary`."""

import re

from tests.paths import ROOT
from tollbook.model.vocabulary import DIRECTIONS, DISPOSITIONS

PAGE = ROOT / "export_app" / "pages" / "dashboard_page"


def options(name: str) -> list[str]:
    """The values that a select of the page offers, without `all`."""
    (select,) = re.findall(rf'<select name="{name}">(.*?)</select>', (PAGE / "index.html").read_text(), re.DOTALL)
    return re.findall(r"<option>(\w+)</option>", select)


def test_the_filters_offer_every_direction_and_disposition() -> None:
    assert sorted(options("direction")) == sorted(DIRECTIONS)
    assert sorted(options("disposition")) == sorted(DISPOSITIONS)


def test_the_chart_and_its_colours_know_every_disposition() -> None:
    """One that the chart does not know would be drawn as `other`, after the calls that are up."""
    (listed,) = re.findall(r"export const DISPOSITIONS = \[(.*?)\]", (PAGE / "overview.js").read_text())
    assert sorted(re.findall(r'"(\w+)"', listed)) == sorted(DISPOSITIONS)
    style = (PAGE / "style.css").read_text()
    assert [name for name in DISPOSITIONS if f".d-{name}" not in style] == []


def test_every_direction_has_an_arrow() -> None:
    """In the list of calls."""
    (arrows,) = re.findall(r"ARROWS = \{(.*?)\}", "".join(path.read_text() for path in PAGE.glob("*.js")))
    assert sorted(re.findall(r"(\w+):", arrows)) == sorted(DIRECTIONS)
