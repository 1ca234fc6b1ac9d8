"""Numbers as they are dialled, reduced to the digits by which prefixes and owners are looked up."""

from collections.abc import Mapping

SEPARATORS = " -.()/"
_WITHOUT_SEPARATORS = str.maketrans("", "", SEPARATORS)


def digits_of(number: str) -> str | None:
    """Return a number without a leading + and separators; None when what is left is not all digits.

    ASCII digits only: an E.164 number has no digits of other scripts, no letters, no `*` and no `#`.
    """
    digits = number if number.isdigit() else number.translate(_WITHOUT_SEPARATORS).removeprefix("+")
    return digits if digits.isascii() and digits.isdigit() else None


def owner_key(number: str) -> str:
    """Return the key for looking up who owns a number: its digits, or a name such as `support` as it is."""
    return digits_of(number) or number


def owner_of(number: str, owners: Mapping[str, str]) -> str | None:
    """Return the account that owns a number, however it was dialled. `owners` is keyed by `owner_key`."""
    return owners.get(owner_key(number)) if owners else None
