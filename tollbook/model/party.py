"""The two parties of a statement: who issues it, and whom it is for. Bounded text, from operators. Pure."""

import unicodedata
from typing import Final

import msgspec

MAX_NAME: Final = 200
MAX_TAX_ID: Final = 60
MAX_ADDRESS: Final = 500
MAX_ADDRESS_LINES: Final = 8

# Characters that turn the direction of the text around them: with these, 1.00 can be made to look like 00.1.
_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """A name, an address of several lines, and a tax id; empty where there is none."""

    name: str = ""
    address: tuple[str, ...] = ()
    tax_id: str = ""


def checked_text(text: str, longest: int) -> str:
    """Return a line of text without blanks around it; raise ValueError if it is too long or holds what no name has."""
    stripped = text.strip()
    if len(stripped) > longest:
        raise ValueError(f"write at most {longest} characters")
    for character in stripped:
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _TURNING:
            raise ValueError(f"it holds U+{ord(character):04X}, which no printed line can show: leave it out")
    return stripped


def parse_address(text: str) -> tuple[str, ...]:
    """Return the lines of an address, which `;` separates; raises ValueError as `checked_text` does."""
    lines = tuple(line for part in text.split(";") if (line := checked_text(part, MAX_ADDRESS)))
    if sum(map(len, lines)) > MAX_ADDRESS or len(lines) > MAX_ADDRESS_LINES:
        raise ValueError(f"write at most {MAX_ADDRESS_LINES} lines and {MAX_ADDRESS} characters")
    return lines
