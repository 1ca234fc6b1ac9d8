"""The file of settings is read as systemd reads it, and goes after the environment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintenance.setup.settings_file import quoted, with_setting
from tollbook.env_file import assignments, load_env_file
from tollbook.errors import SettingsError


def values(text: str) -> dict[str, str]:
    return {found.name: found.value for found in assignments(text)}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A=b", {"A": "b"}),
        ("A=b\nA=c\n", {"A": "c"}),
        ("  A = b c  \r\n", {"A": "b c"}),
        ("A=\nB=''", {"A": "", "B": ""}),
        ("# A=b\n; B=c\nC=d # e", {"C": "d # e"}),
        ("A='b $c \\ \"'", {"A": 'b $c \\ "'}),
        ('A="b \\" \\$ \\` \\\\ \\n \'"', {"A": "b \" $ ` \\ \\n '"}),
        ("A='b'c\"d\"'", {"A": 'bc"d"\''}),
        ("A='b''c' \"d\"", {"A": "bcd"}),
        ("A='b\nc'\nD=e", {"A": "b\nc", "D": "e"}),
        ('A="b\\\nc"', {"A": "bc"}),
        ("A=b\\\nc\\ \nD=e", {"A": "bc ", "D": "e"}),
        ("A='b", {"A": "b"}),
        ("export A=b\n1A=b\nnothing\nC=d", {"C": "d"}),
        ("A=b=c", {"A": "b=c"}),
        ("É=1\nB=é", {"B": "é"}),
    ],
)
def test_a_file_is_read_as_systemd_reads_it(text: str, found: dict[str, str]) -> None:
    """`tests/integration/tollbook/test_env_file.py` asks systemd's own parser."""
    assert values(text) == found


@given(st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=("Cs",))))
def test_a_written_value_is_read_as_it_was(value: str) -> None:
    """Whatever it holds, and whatever stands around it."""
    assert values(f"B=1\nA={quoted(value)}\nC=2\n") == {"B": "1", "A": value, "C": "2"}


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b"])
def test_a_value_of_two_lines_is_refused(value: str) -> None:
    """systemd would take it, sh and a person would not."""
    with pytest.raises(SettingsError, match="has one line"):
        quoted(value)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "A='x'\n"),
        ("B=1", "B=1\nA='x'\n"),
        ("# why\nA=1 # 2\nB=1\n", "# why\nA='x'\nB=1\n"),
        ("A=1\nA='2\n3'\n# end\n", "A=1\nA='x'\n# end\n"),
        ("# what A is\n#A=\nB=1\n", "# what A is\nA='x'\nB=1\n"),
        ("#AB=\n#A=1\n#A=2\n", "#AB=\nA='x'\n#A=2\n"),
    ],
)
def test_one_line_changes_and_no_other(before: str, after: str) -> None:
    """Comments, order and what an operator has added stay."""
    assert with_setting(before, "A", "x") == after
    assert values(after)["A"] == "x"


def test_no_file_is_read_where_the_setting_is_empty() -> None:
    """Tests and the demo say so: this machine may have the file of a Tollbook that is at work."""
    environ = {"TOLLBOOK_ENV_FILE": ""}
    load_env_file(environ)
    assert environ == {"TOLLBOOK_ENV_FILE": ""}
