"""Text that a spreadsheet would run as a formula, and how it is made harmless in every CSV that we write.

Callers choose their own names and numbers. The characters are OWASP's ("CSV Injection"). A spreadsheet may split a file
at other characters than the comma, may ignore our quotes, and reads full-width signs as plain ones; so what follows
such a character counts as the beginning of a cell too.
"""

import re
from typing import Final

# = + - @, and their full-width, small and mathematical forms, which a spreadsheet may read as the same.
_SIGNS: Final = "=+\\-@\\uff1d\\uff0b\\uff0d\\uff20\\ufe66\\ufe62\\ufe63\\ufe6b\\u2212"
# What a spreadsheet may drop before it looks for a sign: blanks, control characters, and what has no width.
_UNSEEN: Final = (
    "\\s\\x00-\\x1f\\x7f-\\x9f\\xad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u202a-\\u202e"
    "\\u2060-\\u206f\\u2800\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff9-\\ufffb\\U000e0000-\\U000e0fff"
)

# A number such as +4930123456 is what most callers are; it stays when it is the whole field.
_FIRST: Final = re.compile(rf"(?!\+[0-9]+\Z)(?=[{_UNSEEN}]*[{_SIGNS}\t\r\n])")
# Within a field. A number between quotes stays, as it stands in the JSON of a call's charges.
INNER_CELL: Final = re.compile(rf'[,;"\t\r\n](?!(?<=")\+[0-9]+")(?=[{_UNSEEN}]*[{_SIGNS}])')


def defuse(text: str) -> str:
    """Put a `'` wherever a cell begins that a spreadsheet would run; a plain number such as +4930123456 stays.

    Text that was made harmless stays as it is.
    """
    text = INNER_CELL.sub(r"\g<0>'", text)
    return f"'{text}" if _FIRST.match(text) else text
