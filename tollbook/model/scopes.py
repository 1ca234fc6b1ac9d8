"""What an API key may do: the names of the scopes, and which of them includes which. docs/api.md describes each."""

from collections.abc import Collection
from typing import Final

CDR: Final = "cdr"
QUEUES: Final = "queues"
AGENTS: Final = "agents"
NUMBERS: Final = "numbers"
WEBHOOKS: Final = "webhooks"
OPERATOR: Final = "operator"
EVERYTHING: Final = "*"

#: What the key of an account can have, each by itself; `*` is all of them, and those that are added later.
ACCOUNT_SCOPES: Final = (CDR, QUEUES, AGENTS, NUMBERS, WEBHOOKS)


def grants(scopes: Collection[str], wanted: str) -> bool:
    """Return whether a key with these scopes has the one that is wanted.

    `operator` includes every other. `*` includes every one of an account, and never `operator`: who has all of an
    account has nothing of another.
    """
    return wanted in scopes or OPERATOR in scopes or (EVERYTHING in scopes and wanted != OPERATOR)
