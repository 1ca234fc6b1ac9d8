"""The documents say what is so: links lead somewhere, named commands exist."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.paths import ROOT
from tollbook.config import Settings

DOCUMENTS = sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


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
        command = re.sub(r"\brunuser -u [a-z]+ -- ", "", piece)
        for rest in re.findall(r"(?:^|[ (|;]|/bin/)tollbook((?: +[^\s|;&)#]+(?:\|[a-z]+)*)+)", command):
            yield rest.split()


# All commands at once, in a process of its own: loading `listen` here would patch the tests' own standard library.
HELP_OF_ALL = """
import json, click
from tollbook.cli import tollbook

def shown(command, name, parent=None):
    context = click.Context(command, info_name=name, parent=parent)
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in sorted(command.list_commands(context), key=lambda name: name != "listen"):
            yield from shown(command.get_command(context, name), name, context)

print(json.dumps(dict(shown(tollbook, "tollbook"))))
"""


@cache
def help_of_all() -> dict[str, str]:
    """What `--help` says, by the words of the command."""
    done = subprocess.run([sys.executable, "-c", HELP_OF_ALL], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


def help_of(*path: str) -> str | None:
    """What `tollbook PATH --help` says; None when there is no such command."""
    return help_of_all().get(" ".join(("tollbook", *path)))


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


# Settings of the tests, which the program does not have; CONTRIBUTING.md and docs/reliability.md say what they are for.
OF_TESTS = {"TOLLBOOK_TEST_DATABASE_URL", "TOLLBOOK_CHAOS_S", "TOLLBOOK_CHAOS_SEED"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_settings_that_a_document_names_exist(document: Path) -> None:
    """And have not been renamed since."""
    known = {f"TOLLBOOK_{name.upper()}" for name in Settings.model_fields} | {"TOLLBOOK_ENV_FILE"} | OF_TESTS
    named = set(re.findall(r"\bTOLLBOOK_[A-Z0-9]+(?:_[A-Z0-9]+)*\b", document.read_text()))
    assert named - known == set()


UNITS = {path.name for path in (ROOT / "conf" / "systemd").iterdir()}


def units_named(text: str) -> Iterator[str]:
    """The units of ours that a document starts, stops, or reads the log of."""
    for command in re.findall(r"\b(?:systemctl|journalctl) [^`\n]*(?:(?<=\\)\n[^`\n]*)*", text):
        for unit in re.findall(r"(?<![\w/.'-])tollbook-[a-z]+(?:\.[a-z]+)?(?![\w*.-])", command):
            yield unit if "." in unit else f"{unit}.service"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_units_that_a_document_names_exist(document: Path) -> None:
    """`systemctl restart tollbook-api`, and whatever else is done with units, is of one of conf/systemd."""
    assert set(units_named(document.read_text())) - UNITS == set()


def test_the_check_of_units_sees_what_does_not_exist() -> None:
    """The check above can fail, also on the second line of a command; `'tollbook-*'` names all."""
    shown = (
        "`systemctl stop 'tollbook-*'`, `journalctl -u tollbook-x`\n\n"
        "systemctl start tollbook-api \\\n    tollbook-arch.timer"
    )
    assert set(units_named(shown)) - UNITS == {"tollbook-arch.timer", "tollbook-x.service"}


# Wired together by a file that is not part of the walk: `service.py` gives switches the inbox and the writer.
WIRED = frozenset({"esl_listener/switch.py", "esl_listener/inbox.py", "esl_listener/writer.py", "rating/engine.py"})


def walks() -> list[tuple[str, list[str]]]:
    """The walks of docs/architecture.md, each with the first file of every step."""
    text = (ROOT / "docs" / "architecture.md").read_text().partition("## Three walks")[2].partition("\n## ")[0]
    return [
        (walk.partition("\n")[0], re.findall(r"^\d+\. \[`([^`]+)`\]", walk, re.MULTILINE))
        for walk in text.split("\n### ")[1:]
    ]


def test_architecture_has_three_walks() -> None:
    """An event to its row, a request to its page, an outbox row to its file."""
    assert [name for name, _ in walks()] == [
        "An event to its row", "A request to its page", "An outbox row to its file"
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "files"), walks(), ids=[name for name, _ in walks()])
def test_a_walk_visits_no_file_twice(name: str, files: list[str]) -> None:
    """And every step is imported by one before it, unless it is wired to it elsewhere."""
    assert len(set(files)) == len(files)
    earlier = ""
    for file in files:
        package, _, name_of_file = file.removesuffix(".py").replace("/", ".").rpartition(".")
        import_of_it = rf"^from {re.escape(package)}(\.{name_of_file} import | import .*\b{name_of_file}\b)"
        imported = re.search(import_of_it, earlier, re.MULTILINE) is not None
        assert imported or file == files[0] or file in WIRED, f"{name}: nothing before {file} imports it"
        earlier += (ROOT / file).read_text()
