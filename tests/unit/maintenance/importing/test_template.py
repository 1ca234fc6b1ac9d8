"""The templates of cdr_csv.conf.xml, and the lines that mod_cdr_csv writes by them."""

import pytest

from maintenance.importing.template import SHIPPED, parse_template, template_of
from tollbook.errors import DataError, UsageError


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_template_reads_its_own_lines(name: str) -> None:
    """Also `sql`, whose lines are statements."""
    template = parse_template(SHIPPED[name])
    line = SHIPPED[name]
    for number, column in enumerate(template.columns):
        line = line.replace(f"${{{column}}}", f"v{number}", 1)
    assert list(template.values(line).values()) == [f"v{number}" for number in range(len(template.columns))]


def test_quotes_in_a_name_cost_nothing() -> None:
    """mod_cdr_csv escapes none, and a caller chooses the name."""
    template = parse_template('"${caller_id_name}","${caller_id_number}","${uuid}"')
    assert template.values('"John "Joe" Doe","100","u"')["caller_id_name"] == 'John "Joe" Doe'
    assert template.values('"a""","100","u"')["caller_id_name"] == 'a""'
    assert template.values('"a, b","100","u"')["caller_id_name"] == "a, b"


def test_a_name_that_looks_like_two_values_is_refused() -> None:
    """Nobody can tell it from the next value, and a shifted line would make a wrong call."""
    template = parse_template('"${caller_id_name}","${caller_id_number}","${uuid}"')
    with pytest.raises(DataError, match="it has 4 values, and the template 3"):
        template.values('"a","b","100","u"')


def test_a_template_without_quotes_is_split_at_commas() -> None:
    """An operator's own."""
    assert parse_template("${uuid}, ${start_epoch};").values("u, 17;") == {"uuid": "u", "start_epoch": "17"}


@pytest.mark.parametrize("text", ["", "no variable", '"${uuid}",${duration}', '"${caller_id_number}"'])
def test_a_template_that_cannot_be_read_is_refused(text: str) -> None:
    """With what to do."""
    with pytest.raises(UsageError):
        parse_template(text)


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    """The default is the shipped configuration's."""
    with pytest.raises(UsageError, match="asterisk, default, example"):
        template_of("mine", None)
    assert template_of(None, None) == parse_template(SHIPPED["example"])
