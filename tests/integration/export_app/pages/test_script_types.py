"""The dashboard's scripts are checked against what the API answers with."""

import shutil
from pathlib import Path

from tests.script_types import SCRIPTS, check


def test_a_script_that_asks_for_what_the_api_has_not_is_refused(tmp_path: Path) -> None:
    """The scripts fit; a misspelt member of an answer, and a parameter without a type, are errors with their lines."""
    shutil.copytree(SCRIPTS, tmp_path, dirs_exist_ok=True)
    assert check(tmp_path).stdout == ""
    story = tmp_path / "story.js"
    story.write_text(story.read_text().replace("call.hangup_cause", "call.hangupCause"))
    words = tmp_path / "words.js"
    words.write_text(f"{words.read_text()}export const shout = (word) => word.toUpperCase();\n")
    found = check(tmp_path)
    assert found.returncode != 0
    assert "'hangupCause' does not exist on type 'CallDetail'" in found.stdout
    assert "Parameter 'word' implicitly has an 'any' type" in found.stdout
