"""docs/calls.md is true: every rule has an example, and the fold does what each of them says."""

import re

import pytest

from tests.paths import CALLS, CASES, ROOT
from tests.unit.tollbook.model.call_examples import Example, disagreements, examples_in

PAGE = (ROOT / "docs" / "calls.md").read_text()
# The rules, without how to read them and without what comes after them: the details of a call.
RULES = re.sub(
    r"^## How to read the examples\n.*?(?=^## )",
    "",
    re.sub(r"^(## Decisions where .*?)^## .*", r"\1", PAGE, flags=re.DOTALL | re.MULTILINE),
    flags=re.DOTALL | re.MULTILINE,
)
FOLDERS = {path.name for path in (*CALLS.iterdir(), *CASES.iterdir())}


def rules() -> list[str]:
    """The rules of the page: items of its lists, with what is below them, and lines of its tables."""
    items = re.findall(r"^- .*(?:\n +.*)*", RULES, re.MULTILINE)
    lines = re.findall(r"^\|.*\n(?=(?:\|.*\n)*)", RULES, re.MULTILINE)
    heads = re.findall(r"^\|.*\n(?=\|---)", RULES, re.MULTILINE)
    return items + [line for line in lines if line not in heads and not line.startswith("|---")]


def named_tests(rule: str) -> list[tuple[str, str]]:
    return re.findall(r"`(test_\w+\.py)::(test_\w+)`", rule)


def test_every_example_is_what_the_fold_gives() -> None:
    """In the order of the events, and in the reverse order."""
    wrong = {example: found for example in examples_in(PAGE) if (found := disagreements(example))}
    assert wrong == {}


def test_every_cause_of_the_table_gives_its_disposition() -> None:
    """Alone, on the root of a call that was not answered and where no leg rang; all others are `failed`."""
    lines = re.findall(r"^\| `(\w+)` \| ([A-Z][A-Z_, ]+) \|", RULES, re.MULTILINE)
    causes = {cause: disposition for disposition, listed in lines for cause in listed.split(", ")}
    causes |= {"ORIGINATOR_CANCEL": "cancelled", "RECOVERY_ON_TIMER_EXPIRE": "failed", "UNALLOCATED_NUMBER": "failed"}
    wrong = {
        cause: found
        for cause, disposition in causes.items()
        if (found := disagreements(Example(call=f"phone 0 - 9 cause={cause}", rows=f"disposition {disposition}")))
    }
    assert wrong == {}
    assert len(causes) == 26


def test_every_rule_has_an_example() -> None:
    """Of its own, or as recorded events, which are tests too, or as a test that it names."""
    without = [
        rule
        for rule in rules()
        if not any(examples_in(rule)) and not FOLDERS & set(re.findall(r"`(\w+)`", rule)) and not named_tests(rule)
    ]
    assert without == []
    assert len(rules()) > 120  # the page is read whole


@pytest.mark.parametrize(("file", "name"), sorted(set(named_tests(PAGE))))
def test_a_test_that_the_page_names_exists(file: str, name: str) -> None:
    assert any(f"def {name}(" in path.read_text() for path in (ROOT / "tests").rglob(file))


@pytest.mark.parametrize(
    ("call", "rows", "wrong"),
    [
        ("phone", "billsec 61", ["billsec 60"]),
        ("phone; phone 1 5 9 id=b", "billsec 60", ["2 rows"]),
        ("phone", "billsec 60 / billsec 60", ["1 rows"]),
        ("phone", "bilsec 60", ["bilsec is no column"]),
    ],
)
def test_an_example_can_be_wrong(call: str, rows: str, wrong: list[str]) -> None:
    """The check above can fail: on a value, on the number of rows, and on a name."""
    assert disagreements(Example(call=call, rows=rows)) == wrong * 2


def test_words_that_mean_nothing_are_no_example() -> None:
    with pytest.raises(AssertionError, match="unherd"):
        disagreements(Example(call="phone unherd", rows="billsec 60"))
