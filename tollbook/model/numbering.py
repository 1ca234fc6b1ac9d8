"""Numbering plans: a number as an account dials it becomes E.164 digits, or has no reading in the plan.

Pure functions; the plans are rows of the table `numbering`. Nothing is guessed: a number that has no reading in the
plan, or two that differ, gets no digits. docs/rating.md has the plans and the rules.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from tollbook.model.numbers import SEPARATORS, digits_of

# Country code and number: at most 15 digits (E.164), and at least the 7 of Niue, whose numbers are the shortest.
# Numbers in +1 and +7 have 11.
_E164: Final = r"[17]\d{10}|[2-689]\d{6,14}"
# Longer than any plan's prefixes with an E.164 number: no pattern is tried on more.
_LONGEST_DIALLED: Final = 32


class DialledNumber(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a dialled number is. `digits` is None when the plan has no reading of it, and `reason` says why.

    `short` marks a short code: a number of its own, not the beginning of others.
    """

    digits: str | None
    short: bool = False
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NumberingRow:
    """A row of the table `numbering`; the comments on its columns say what each is."""

    numbering_id: str
    name: str
    country_code: str
    international_prefixes: Sequence[str]
    national_prefixes: Sequence[str]
    national_number: str
    bare_number: str
    short_code: str


class NumberingPlan:
    """How an account dials. A row with a pattern that is no regular expression has no reading of any number."""

    def __init__(self, row: NumberingRow) -> None:
        self.numbering_id: Final = row.numbering_id
        self._country_code: Final = row.country_code
        self._broken: str | None = None
        self._international: list[re.Pattern[str]] = []
        self._national: list[re.Pattern[str]] = []
        self._short: re.Pattern[str] | None = None
        own = "|".join(f"(?:{pattern})" for pattern in (row.national_number, row.bare_number) if pattern)
        try:
            self._own = re.compile(own, re.ASCII)
            self._international += [_pattern(prefix, _E164) for prefix in row.international_prefixes]
            self._national += [_pattern(prefix, row.national_number) for prefix in row.national_prefixes]
            if row.bare_number:
                self._national.append(_pattern("", row.bare_number))
            if row.short_code:
                self._short = re.compile(row.short_code, re.ASCII)
        except re.error as error:
            self._broken = f"numbering plan {row.numbering_id} has a pattern that is no regular expression ({error})"

    def parse(self, number: str) -> DialledNumber:
        """Return what the number is that was dialled so. Separators are ignored. Never raises."""
        if self._broken:
            return DialledNumber(digits=None, reason=self._broken)
        digits = digits_of(number)
        if digits is None or len(digits) > _LONGEST_DIALLED:
            return DialledNumber(digits=None, reason=f"no number of numbering plan {self.numbering_id}")
        readings = set(self._readings(digits, plus=number.lstrip(SEPARATORS).startswith("+")))
        if len(readings) == 1:
            return readings.pop()
        what = "no number" if not readings else "more than one number"
        return DialledNumber(digits=None, reason=f"{what} of numbering plan {self.numbering_id}")

    def _readings(self, digits: str, *, plus: bool) -> Iterator[DialledNumber]:
        for pattern in (_PLUS,) if plus else self._international:
            found = pattern.fullmatch(digits)
            if found and self._is_valid(found[1]):
                yield DialledNumber(digits=found[1])
        if plus:
            return
        for pattern in self._national:
            if found := pattern.fullmatch(digits):
                yield DialledNumber(digits=self._country_code + found[1])
        if self._short and self._short.fullmatch(digits):
            yield DialledNumber(digits=digits, short=True)

    def _is_valid(self, e164: str) -> bool:
        """Whether a number is abroad or one of the plan's own country, which +44 (0)20 7946 0000 is not."""
        if not self._country_code or not e164.startswith(self._country_code):
            return True
        return self._own.fullmatch(e164.removeprefix(self._country_code)) is not None


def _pattern(prefix: str, number: str) -> re.Pattern[str]:
    return re.compile(f"{prefix.replace('X', '[0-9]').replace('Z', '[1-9]')}({number})", re.ASCII)


_PLUS: Final = _pattern("", _E164)
