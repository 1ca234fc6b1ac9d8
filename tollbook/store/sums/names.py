"""Finds queues, agents and accounts by a part of their names, among those that complete calls have had, of any age."""

from typing import Final, Literal, LiteralString, NamedTuple, TypeAlias

from tollbook.model.accounts import Accounts, OneAccount
from tollbook.store.database import Connection, store_errors
from tollbook.store.sums.pieces import OF_ONE_ACCOUNT

NamedColumn: TypeAlias = Literal["queue_id", "agent_id", "account_id"]


class FoundName(NamedTuple):
    """A name, and the column of a call that has it."""

    column: NamedColumn
    value: str


# What ended since the last roll-up waits in `sum_delta`. Compared by the database's own collation, which knows more
# letters than "C". The part before an @ is how people call a queue or an agent.
_FOUND: Final[LiteralString] = f"""
    WITH known AS (
        SELECT kind || '_id' AS name, value FROM sum_name
        WHERE kind IN ('queue', 'agent') AND (%(account_id)s::text IS NULL OR account_no = {OF_ONE_ACCOUNT})
        UNION
        SELECT 'account_id', account_id FROM sum_account WHERE %(account_id)s::text IS NULL
        UNION
        SELECT name, value FROM sum_delta CROSS JOIN LATERAL (
            VALUES ('queue_id', queue_id), ('agent_id', agent_id),
                   ('account_id', CASE WHEN %(account_id)s::text IS NULL THEN account_id END)
        ) AS named (name, value)
        WHERE value IS NOT NULL AND (%(account_id)s::text IS NULL OR account_id = %(account_id)s)
    ), compared AS (
        SELECT name, value, lower(value COLLATE "default") AS written, lower(%(part)s::text) AS sought FROM known
    )
    SELECT name, value FROM compared WHERE position(sought IN written) > 0
    ORDER BY sought IN (written, split_part(written, '@', 1)) DESC, starts_with(written, sought) DESC, value, name
    LIMIT %(limit)s + 1
"""  # noqa: S608 - literals alone


def find_names(connection: Connection, accounts: Accounts, part: str, limit: int) -> tuple[list[FoundName], bool]:
    """Return names that contain `part`, whatever the case, and whether there are more than `limit`.

    Those that are it come first, without what follows an @, then those that begin with it. Names of accounts are for
    who may see every account. Raises StoreUnavailable.
    """
    asked = {"account_id": accounts.account_id if isinstance(accounts, OneAccount) else None, "part": part}
    with store_errors():
        rows = connection.execute(_FOUND, asked | {"limit": limit}).fetchall()
    return [FoundName(*row) for row in rows[:limit]], len(rows) > limit
