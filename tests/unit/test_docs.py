"""The documents say what is so: worked examples are computed, links lead somewhere, named commands exist."""

import datetime as dt
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec
import pytest

from rating.deck import Deck
from rating.deckfile import read_deck
from rating.engine import AccountTariff, Assignment, Plan, Tariffs
from tollbook.model.rate import Rate
from tollbook.model.row import Part, Row

ROOT = Path(__file__).parents[2]
TOLLBOOK = Path(sys.executable).with_name("tollbook")
DOCUMENTS = sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))
RATING = (ROOT / "docs" / "rating.md").read_text()


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def fenced(text: str, language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def examples() -> Iterator[dict[str, str]]:
    """The table of worked examples, line by line."""
    _, _, rest = RATING.partition("| example |")
    rows = [line.strip().strip("|").split("|") for line in f"| example |{rest}".splitlines() if line.startswith("|")]
    head = [cell.strip() for cell in rows[0]]
    for row in rows[2:]:
        yield dict(zip(head, (cell.strip() for cell in row), strict=True))


EXAMPLES = list(examples())


@pytest.fixture(scope="module")
def tariffs() -> Tariffs:
    """The accounts of docs/rating.md; its deck is read as `tollbook rates import` reads it."""
    (deck,) = fenced(RATING, "csv")
    rows = read_deck(deck.splitlines(keepends=True))
    own = Deck(
        Rate(*msgspec.structs.astuple(row.terms), rate_id=number, version=1, plan_id="retail")
        for number, row in enumerate(rows, start=1)
    )
    plan = Plan(plan_id="retail", currency="EUR", decks=(own,))
    return Tariffs(
        accounts={"acme": AccountTariff(assignments=(Assignment(from_ts=0, plan=plan),)), "bare": AccountTariff()}
    )


def call(example: dict[str, str]) -> Row:
    """A complete call as an example describes it."""
    told = [] if example["parts"] == "none" else [one.split() for one in example["parts"].split(", ")]
    parts = tuple(Part(direction=way, number=number, seconds=int(seconds)) for way, number, seconds in told)
    start_ts = int(dt.datetime.fromisoformat(example["start"]).replace(tzinfo=dt.UTC).timestamp() * 1000)
    return Row(
        switch="fs",
        call_id="an-example",
        account_id=None if example["account"] == "none" else example["account"],
        direction=parts[0].direction if parts else "outbound",
        from_num="1000",
        to_num=parts[0].number if parts else "1001",
        start_ts=start_ts,
        answer_ts=start_ts if parts else None,
        end_ts=start_ts,
        duration_sec=0,
        billsec=0,
        answered=1 if parts else 0,
        disposition="answered" if parts else "no_answer",
        hangup_cause="NORMAL_CLEARING",
        queue_id=None,
        agent_id=None,
        estimated=False,
        parts=parts,
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["example"])
def test_a_worked_example_is_what_the_engine_computes(example: dict[str, str], tariffs: Tariffs) -> None:
    """Cost, billed seconds, the rate of each part, and the reason of an unrated call."""
    price = tariffs.price(call(example))
    cost = "NULL" if price.cost_micros is None else str(price.cost_micros)
    assert cost == example["cost_micros"]
    assert price.unrated == (example["why"] if cost == "NULL" else None)
    billed = ", ".join("" if part.billed_sec is None else str(part.billed_sec) for part in price.parts)
    assert billed.strip() == example["billed"]
    assert ", ".join(part.rate or "" for part in price.parts).strip() == example["rate"]


def test_the_examples_cover_the_rules() -> None:
    """The table is found and read whole: a broken table would otherwise check nothing."""
    named = " ".join(example["example"] for example in EXAMPLES)
    for word in (
        "60/60",
        "30/6",
        "1/1",
        "60/1",
        "price of zero",
        "0 seconds",
        "moment of a rate",
        "internal",
        "no rate",
    ):
        assert word in named
    assert len({example["example"] for example in EXAMPLES}) == len(EXAMPLES)


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub gives a document's headings."""
    text = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_relative_links_lead_somewhere(document: Path) -> None:
    """Every relative link names a file of the repository, and an anchor that it has."""
    text = re.sub(r"^```.*?^```$|`[^`\n]*`", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    broken: list[str] = []
    for link in re.findall(r"\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)", text):
        if re.match(r"[a-z][a-z+.-]*:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        inside = target.is_relative_to(ROOT) and target.exists()
        if not inside or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def commands_named(text: str) -> Iterator[list[str]]:
    """The words after `tollbook` wherever a document shows a command: in code, at its beginning or after a prompt."""
    code = re.compile(r"^ *```(?:sh|shell|bash|console|text|)\n(.*?)^ *```$|^ {4}(\S[^\n]*)$", re.DOTALL | re.MULTILINE)
    blocks = [fence or indented for fence, indented in code.findall(text)]
    spans = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)
    for piece in (*spans, *(line for block in blocks for line in block.splitlines())):
        for rest in re.findall(r"(?:^|[ (|;/])tollbook((?: +[^\s|;&)#]+(?:\|[a-z]+)*)+)", piece):
            yield rest.split()


@cache
def help_of(*path: str) -> str | None:
    """What `tollbook PATH --help` says; None when there is no such command.

    In a process of its own: loading `listen` here would patch the tests' own standard library.
    """
    done = subprocess.run([TOLLBOOK, *path, "--help"], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout if done.returncode == 0 else None


def unknown(words: list[str]) -> str | None:
    """The first word after `tollbook` that is no command, sub-command or option; `a|b` names both."""
    path: tuple[str, ...] = ()
    for word in words:
        shown = help_of(*path) or ""
        if word.startswith("-"):
            if not re.search(rf"(?<![\w-]){re.escape(word.partition('=')[0])}(?![\w-])", shown):
                return word
        elif re.search(r"^Usage: .*COMMAND", shown, re.MULTILINE) and re.fullmatch(r"[a-z][a-z|-]*", word):
            names = word.split("|")
            if any(help_of(*path, name) is None for name in names):
                return word
            path = (*path, names[-1])
    return None


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_commands_that_a_document_names_exist(document: Path) -> None:
    """`tollbook rates import`, and whatever else is named, is a command, a sub-command or an option of one."""
    wrong = [" ".join(words) for words in commands_named(document.read_text()) if unknown(words)]
    assert wrong == []


def test_the_check_of_commands_sees_what_does_not_exist() -> None:
    """The check above can fail: on a command, a sub-command and an option."""
    shown = "`tollbook frobnicate`, `tollbook db downgrade` and `tollbook rates import FILE --plan X --gently`"
    assert [unknown(words) for words in commands_named(shown)] == ["frobnicate", "downgrade", "--gently"]
    assert unknown(["rates", "import", "FILE", "--plan", "X", "--dry-run"]) is None
