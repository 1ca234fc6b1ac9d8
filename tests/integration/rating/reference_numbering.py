"""How docs/rating.md says that numbers are read, written a second time from its *Numbers*; the plans are its tables."""

import re
from dataclasses import dataclass

from tests.paths import ROOT

_PAGE = (ROOT / "docs" / "rating.md").read_text()
_SEPARATORS = " -.()/"

# The paragraph *Service codes*.
_SERVICE_CODES = {
    "US": ("*67", "*82", "1167", "1182"),
    "CA": ("*67", "*82", "1167", "1182"),
    "GB": ("141", "1470"),
    "FR": ("3651",),
    "IT": ("*67#",),
    "ES": ("067",),
    "AU": ("1831", "1832"),
}
_EVERYWHERE = ("*31#", "#31#")

# The countries of the table, by their codes in the world; E164 is no country.
_COUNTRY_CODES = {
    "US": "1", "CA": "1", "GB": "44", "DE": "49", "FR": "33", "IT": "39", "ES": "34", "BR": "55", "RU": "7", "IN": "91",
    "AU": "61",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Numbering:
    """A numbering plan: prefixes, in which X is any digit and Z one from 1 to 9, and expressions, None for none."""

    country_code: str | None
    international: tuple[str, ...]
    national: tuple[str, ...]
    shapes: dict[str, str]
    service: tuple[str, ...]


def _numbering_plans() -> dict[str, Numbering]:
    shapes: dict[str, dict[str, str]] = {}
    (block,) = re.findall(r"^```text\n(US .*?)^```$", _PAGE, re.DOTALL | re.MULTILINE)
    plan = ""
    for line in block.splitlines():
        plan = line[:2].strip() or plan
        kind, expression = line[2:].split()
        shapes.setdefault(plan, {})[kind] = expression
    found: dict[str, Numbering] = {}
    for line in re.findall(r"^\| (?:[A-Z]{2}|E164) \|.*$", _PAGE, re.MULTILINE):
        plan, _, international, national, *_ = (cell.strip() for cell in line.strip("|").split("|"))
        found[plan] = Numbering(
            country_code=_COUNTRY_CODES.get(plan),
            international=("",) if international == "(nothing)" else tuple(international.split(", ")),
            national=tuple(national.split(", ")) if national else (),
            shapes=shapes.get(plan, {}),
            service=_EVERYWHERE + _SERVICE_CODES.get(plan, ()),
        )
    return found


NUMBERING = _numbering_plans()


def digits_of(number: str) -> str | None:
    """Return the digits of a number, None if it has none."""
    left = _without_separators(number).removeprefix("+")
    while left.endswith("#"):
        left = left[:-1]
    return left if left and all(character in "0123456789" for character in left) else None


def readings(plan_name: str, number: str) -> set[tuple[str, bool]]:
    """Return all that a number may mean in a plan: digits of E.164 and False, or a short code and True."""
    plan = NUMBERING[plan_name]
    dialled = _without_separators(number)
    return set().union(
        _readings(plan, dialled),
        *(_readings(plan, dialled.removeprefix(code)) for code in plan.service if dialled.startswith(code)),
    )


def _without_separators(number: str) -> str:
    return "".join(character for character in number if character not in _SEPARATORS)


def _readings(plan: Numbering, dialled: str) -> set[tuple[str, bool]]:
    digits = digits_of(dialled)
    if digits is None or len(digits) > 32:
        return set()
    if dialled.startswith("+"):
        return {(digits, False)} if _is_e164(plan, digits) else set()
    read: set[tuple[str, bool]] = set()
    for prefix in plan.international:
        rest = _after(prefix, digits)
        if rest is not None and _is_e164(plan, rest):
            read.add((rest, False))
    for prefix in plan.national:
        rest = _after(prefix, digits)
        if rest is not None and _has_shape(plan, "national", rest):
            read.add((f"{plan.country_code}{rest}", False))
    if _has_shape(plan, "whole", digits):
        read.add((f"{plan.country_code}{digits}", False))
    if _has_shape(plan, "short", digits):
        read.add((digits, True))
    return read


def _after(prefix: str, digits: str) -> str | None:
    """Return what follows a prefix of the table, None where it does not begin the digits."""
    if len(digits) < len(prefix):
        return None
    for wanted, digit in zip(prefix, digits, strict=False):
        if wanted != digit and wanted != "X" and not (wanted == "Z" and digit != "0"):
            return None
    return digits[len(prefix) :]


def _has_shape(plan: Numbering, kind: str, digits: str) -> bool:
    return kind in plan.shapes and re.fullmatch(plan.shapes[kind], digits) is not None


def _is_e164(plan: Numbering, digits: str) -> bool:
    if not 7 <= len(digits) <= 15 or digits[0] == "0":
        return False
    if digits[0] in "17" and len(digits) != 11:
        return False
    if plan.country_code is not None and digits.startswith(plan.country_code):
        own = digits.removeprefix(plan.country_code)
        return _has_shape(plan, "national", own) or _has_shape(plan, "whole", own)
    return True
