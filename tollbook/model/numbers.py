"""Numbers as dialled become the digits that prefixes and owners are compared by."""

SEPARATORS = " -.()/"
_WITHOUT_SEPARATORS = str.maketrans("", "", SEPARATORS)


def digits_of(number: str) -> str | None:
    """Strip a leading + and the separators people write; None when what is left is not a number.

    ASCII digits only: other scripts' digits, letters, `*` and `#` are no part of an E.164 number.
    """
    digits = number if number.isdigit() else number.translate(_WITHOUT_SEPARATORS).removeprefix("+")
    return digits if digits.isascii() and digits.isdigit() else None
