"""docs/calls.md is true of the details: what it says of recorded calls is what the fold gives."""

import re

import pytest

from tests.paths import ROOT
from tests.recorded_details import NAMES, legs_heard, rows_of
from tests.unit.tollbook.model.call_examples import examples_in, said_of_details
from tollbook.model.details import DETAIL_COLUMNS

PAGE = (ROOT / "docs" / "calls.md").read_text().partition("\n## Details of a call\n")[2]
SECTIONS = dict(re.findall(r"^### ([^\n]*)\n(.*?)(?=^### |\Z)", PAGE, re.MULTILINE | re.DOTALL))
CLAIMS = re.findall(r"`(\w+)`: ((?:\w+ [^\s,;]+)(?:, \w+ [^\s,;]+)*)", PAGE)
#: Priced, not folded: docs/rating.md.
PRICED = {"destination"}


@pytest.mark.parametrize(("name", "claims"), CLAIMS)
def test_what_the_page_says_of_a_recorded_call_is_so(name: str, claims: str) -> None:
    for row in rows_of(legs_heard(name)):
        said = said_of_details(row.details)
        for claim in claims.split(", "):
            field, _, value = claim.partition(" ")
            assert said[field] == value


def test_every_detail_has_a_section_with_its_rule_and_a_recorded_example() -> None:
    fields = {field for section in SECTIONS for field in section.split(" and ")}
    assert fields == set(DETAIL_COLUMNS) - PRICED
    for heading, text in SECTIONS.items():
        recorded = [claims for name, claims in CLAIMS if name in NAMES and f"`{name}`: {claims}" in text]
        assert any(field in claims for field in heading.split(" and ") for claims in recorded), heading
        assert "rules/details/" in text, heading


def test_the_page_has_examples_of_calls_that_nobody_recorded() -> None:
    assert len(list(examples_in(PAGE))) > 15
    assert len(CLAIMS) > 25
