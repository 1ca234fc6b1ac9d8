"""Numbering plans: a number as an account dials it becomes E.164 digits, or has no reading in the plan.

Pure functions; the plans are rows of the table `numbering`. Nothing is guessed: a number that has no reading in the
plan, or two that differ, gets no digits. docs/rating.md has the plans and the rules.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import msgspec

from tollbook.model.numbers import digits_of, without_separators

# Country code and number: at most 15 digits (E.164), and at least the 7 of Niue, whose numbers are the shortest.
# Numbers in +1 and +7 have 11.
_E164: Final = r"[17]\d{10}|[2-689]\d{6,14}"
_SHORTEST_E164: Final = 7
_LONGEST_E164: Final = 15
_ELEVEN: Final = 11
# Longer than any plan's prefixes with an E.164 number: no pattern is tried on more.
_LONGEST_DIALLED: Final = 32
_WILDCARDS: Final = {"X": "0123456789", "Z": "123456789"}
# The code of a carrier in Germany or Brazil; the four digits of one in the USA would make 10,000 spellings.
_MOST_WILDCARDS: Final = 2


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
    service_prefixes: Sequence[str] = ()


class NumberingPlan:
    """How an account dials. A row with a pattern that is no regular expression has no reading of any number."""

    def __init__(self, row: NumberingRow) -> None:
        self.numbering_id: Final = row.numbering_id
        self._country_code: Final = row.country_code
        self._prefixes: Final = tuple(row.international_prefixes), tuple(row.national_prefixes)
        self._service_prefixes: Final = tuple(row.service_prefixes)
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
        dialled = without_separators(number)
        readings = set(self._readings_of(dialled))
        if dialled.startswith(self._service_prefixes):
            for prefix in self._service_prefixes:
                if dialled.startswith(prefix):
                    readings.update(self._readings_of(dialled[len(prefix) :]))
        if len(readings) == 1:
            return readings.pop()
        what = "no number" if not readings else "more than one number"
        return DialledNumber(digits=None, reason=f"{what} of numbering plan {self.numbering_id}")

    def spellings(self, e164: str) -> Iterator[str]:
        """Yield how a number in E.164 digits can be dialled: each that `parse` reads as this number."""
        before_all, before_own = self._prefixes
        dialled = [prefix + e164 for written in before_all for prefix in _expanded(written)]
        if self._country_code and e164.startswith(self._country_code):
            national = e164.removeprefix(self._country_code)
            dialled += [prefix + national for written in ("", *before_own) for prefix in _expanded(written)]
        for number in dialled:
            found = self.parse(number)
            if found.digits == e164 and not found.short:
                yield number

    def _readings_of(self, dialled: str) -> Iterator[DialledNumber]:
        digits = digits_of(dialled)
        if digits is not None and len(digits) <= _LONGEST_DIALLED:
            yield from self._readings(digits, plus=dialled.startswith("+"))

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


def readings_of(number: str, plan: NumberingPlan | None) -> set[str]:
    """Return the digits that a number may stand for: as they are, and in E.164 by the plan of whoever dials it so.

    None for a short code or an extension, which is another one's in every account.
    """
    digits = {digits_of(number), plan.parse(number).digits if plan is not None else None}
    return {found for found in digits if found is not None and len(found) >= _SHORTEST_E164}


def spellings_of(number: str, plan: NumberingPlan | None) -> frozenset[str]:
    """Return the other ways to write a whole number, as whoever dials by this plan may write it.

    None for the beginning of a number, a short code or a name, which are written in one way. Of a number without its
    country code there are only those of its plan; prefixes that choose a carrier of more than two digits are left out.
    """
    read = None if plan is None else plan.parse(number)
    if read is not None and read.short:
        return frozenset()
    digits = read.digits if read is not None else None
    if digits is None and is_international(number):
        digits = digits_of(number)
    if digits is None:
        return frozenset()
    found = {digits, f"+{digits}"}
    return frozenset(found if plan is None else found.union(plan.spellings(digits)))


def _expanded(prefix: str) -> Iterator[str]:
    """Yield the digits that a prefix of a plan stands for: X any, Z all but 0. None where these are too many."""
    wildcards = [_WILDCARDS[sign] for sign in prefix if sign in _WILDCARDS]
    if len(wildcards) > _MOST_WILDCARDS:
        return
    pattern = prefix.replace("X", "{}").replace("Z", "{}")
    yield from (pattern.format(*chosen) for chosen in product(*wildcards))


def is_international(number: str) -> bool:
    """Whether a number is written with its country code, so that a prefix of its digits is one of E.164."""
    digits = digits_of(number)
    return digits is not None and is_e164(digits)


def is_e164(digits: str) -> bool:
    """Whether digits begin with a country code, and are as many as its numbers have."""
    # What _E164 says, in a third of its time, because it is asked of nearly every price.
    if digits.startswith(("1", "7")):
        return len(digits) == _ELEVEN
    return _SHORTEST_E164 <= len(digits) <= _LONGEST_E164 and not digits.startswith("0")


def _pattern(prefix: str, number: str) -> re.Pattern[str]:
    return re.compile(f"{prefix.replace('X', '[0-9]').replace('Z', '[1-9]')}({number})", re.ASCII)


_PLUS: Final = _pattern("", _E164)
