"""The mutants fit the sources and the tests, so that `make mutants` finds what it wants to break."""

import re
from dataclasses import replace

from tests.mutants.__main__ import ALL, misfits
from tests.paths import ROOT


def test_every_mutant_fits_the_sources() -> None:
    """Its text occurs once in its file, and its replacement leaves a file that Python can read."""
    assert list(misfits(ALL)) == []


def test_every_test_that_must_fail_exists() -> None:
    """Its file has a function of that name."""
    missing: list[str] = []
    for test in sorted({test for mutant in ALL for test in mutant.tests}):
        path, _, name = test.partition("::")
        defined = f"def {name.partition('[')[0]}("
        if not (ROOT / path).is_file() or (name and defined not in (ROOT / path).read_text()):
            missing.append(test)
    assert missing == []


def test_a_mutant_that_does_not_fit_is_named() -> None:
    """By its file and its claim, with the text that was looked for."""
    odd = replace(ALL[0], text="no such text", claim="the rule")
    (message,) = misfits([odd, ALL[1]])
    assert re.match(rf"{re.escape(odd.path)}: 'the rule': .* 0 times instead of once:\nno such text", message)
