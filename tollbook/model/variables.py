"""Which channel variables an operator may have kept with the calls: TOLLBOOK_VARIABLES. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from tollbook.model.event import LONGEST_TEXT

#: Variables kept of a call. Each is read out of every event of a leg, and kept in both tiers.
MAX_VARIABLES: Final = 20

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+")
_EVENT_PREFIX: Final = "variable_"
# Compared in lower case: `sip_h_X-Pin` holds a secret as `pin_number` does.
_SECRET: Final = re.compile(r"sip_auth_|.*(authori[sz]|passw|pin|dtmf|digits|secret|token|api[_.-]?key)")


def allowed_variables(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of variables that may be kept, each once, in their order.

    Raises ValueError for one that may hold a secret (a password, a PIN, what a caller dialled), for one that is no name
    of a variable or longer than LONGEST_TEXT, and for more than MAX_VARIABLES.
    """
    allowed = tuple(dict.fromkeys(names))
    for name in allowed:
        shown = name[:40]
        if len(name) > LONGEST_TEXT or not _NAME.fullmatch(name):
            raise ValueError(
                f"{shown!r} is no name of a channel variable: write up to {LONGEST_TEXT} letters, digits, _, - or .,"
                " for instance sip_h_X-Campaign, several separated by commas"
            )
        if name.startswith(_EVENT_PREFIX):
            raise ValueError(
                f"leave out {_EVENT_PREFIX!r}, which only events put before a name: write"
                f" {shown.removeprefix(_EVENT_PREFIX)}"
            )
        if _SECRET.match(name.lower()):
            raise ValueError(
                f"{shown} may hold a secret, and is never kept: names are refused that begin with sip_auth_, or hold"
                " passw, pin, dtmf, digits, secret, token, api_key or authoriz; copy what you need to a variable with"
                " another name"
            )
    if len(allowed) > MAX_VARIABLES:
        raise ValueError(f"{len(allowed)} variables are too many: name {MAX_VARIABLES} at most")
    return allowed
