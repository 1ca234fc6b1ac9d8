"""Numbers as they are dialled, reduced to the digits by which prefixes and owners are looked up."""

import re
from collections.abc import Mapping
from typing import Final

#: What people write between the digits of a number.
SEPARATORS: Final = " -.()/"
_WITHOUT_SEPARATORS = str.maketrans("", "", SEPARATORS)
_BEFORE_PARAMETERS: Final = re.compile("[^;@%]*")
_NO_DIGITS: Final = re.compile("[^0-9]+")
# Enough to tell lines apart, and what is left when country and area are dialled in different ways.
_LINE_DIGITS: Final = 7


def number_of(text: str) -> str:
    """Return the number in what a switch states as one: without parameters, host, scheme and a module's own prefix.

    `12125550100;npdi;rn=12125559999`, `sip:12125550100@host` and `1:3/12125550100` are 12125550100. `*` and `#` stay.
    """
    if text.isalnum() or (text.startswith("+") and text[1:].isdigit()):  # nearly every number
        return text
    found = _BEFORE_PARAMETERS.match(text)
    head = found[0] if found else ""
    return head[max(head.rfind("/"), head.rfind(":")) + 1 :]


def same_line(left: str, right: str) -> bool:
    """Whether two numbers have the same last 7 digits, however country and area were dialled."""
    digits = _NO_DIGITS.sub("", left)[-_LINE_DIGITS:]
    return bool(digits) and digits == _NO_DIGITS.sub("", right)[-_LINE_DIGITS:]


def without_separators(number: str) -> str:
    """Return a number without what people write between its digits."""
    return number if number.isdigit() else number.translate(_WITHOUT_SEPARATORS)


def digits_of(number: str) -> str | None:
    """Return a number without a leading +, separators and a trailing #; None when what is left is not all digits.

    ASCII digits only: an E.164 number has no digits of other scripts, no letters and no `*`. A caller's `#` at the end
    says that the number is whole.
    """
    if number.isascii() and number.isdigit():  # nearly every number
        return number
    digits = without_separators(number).removeprefix("+").rstrip("#")
    return digits if digits.isascii() and digits.isdigit() else None


def owner_key(number: str) -> str:
    """Return the key for looking up who owns a number: its digits, or a name such as `support` as it is."""
    # First as it is written: an operator may write 030/1234567.
    return digits_of(number) or digits_of(number_of(number)) or number_of(number) or number


def owner_of(number: str, owners: Mapping[str, str]) -> str | None:
    """Return the account that owns a number, however it was dialled. `owners` is keyed by `owner_key`."""
    return owners.get(owner_key(number)) if owners else None
