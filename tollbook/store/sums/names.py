"""Finds queues, agents and accounts by a part of their names, among those that complete calls have had, of any age."""

from collections.abc import Sequence
from typing import Final, Literal, LiteralString, NamedTuple, TypeAlias

from tollbook.model.accounts import Accounts, OneAccount
from tollbook.store.database import Connection, store_errors
from tollbook.store.sums.pieces import OF_ONE_ACCOUNT

NamedColumn: TypeAlias = Literal["queue_id", "agent_id", "account_id"]


class FoundName(NamedTuple):
    """A name, and the column of a call that has it."""

    column: NamedColumn
    value: str


# A name stays in `sum_name` when the last call that had it got another account or another name: it counts only with a
# cell that has calls. What ended since the last roll-up waits in `sum_delta`. Compared by the database's own collation,
# which knows more letters than "C". The part before an @ is how people call a queue or an agent. So many more are
# looked at than asked for: nearly all of them have calls.
_COMPARED: Final[LiteralString] = """
    SELECT * FROM (
        SELECT named.*, lower(value COLLATE "default") AS written, lower(%(part)s::text) AS sought FROM named
        WHERE name = ANY (%(columns)s) AND value IS NOT NULL
    ) AS compared WHERE position(sought IN written) > 0
"""
_BEST_FIRST: Final[LiteralString] = """
    sought IN (written, split_part(written, '@', 1)) DESC, starts_with(written, sought) DESC, value, name
"""
_FOUND: Final[LiteralString] = f"""
    WITH kept AS MATERIALIZED (
        WITH named AS (
            SELECT kind || '_id' AS name, value, account_no, name_id FROM sum_name
            WHERE kind IN ('queue', 'agent') AND (%(account_id)s::text IS NULL OR account_no = {OF_ONE_ACCOUNT})
            UNION ALL
            SELECT 'account_id', account_id, account_no, NULL FROM sum_account WHERE %(account_id)s::text IS NULL
        )
        {_COMPARED} ORDER BY {_BEST_FIRST} LIMIT 20 * (%(limit)s + 1)
    ), waiting AS (
        WITH named AS (
            SELECT name, value FROM (
                SELECT queue_id, agent_id, account_id FROM sum_delta
                WHERE %(account_id)s::text IS NULL OR account_id = %(account_id)s
                GROUP BY queue_id, agent_id, account_id HAVING sum(sign) > 0
            ) AS fresh CROSS JOIN LATERAL (
                VALUES ('queue_id', queue_id), ('agent_id', agent_id),
                       ('account_id', CASE WHEN %(account_id)s::text IS NULL THEN account_id END)
            ) AS column_of (name, value)
        )
        {_COMPARED}
    ), found AS (
        SELECT name, value, written, sought FROM kept WHERE CASE name
            WHEN 'queue_id' THEN EXISTS (
                SELECT FROM queue_sum WHERE account_no = kept.account_no AND queue = name_id AND calls > 0)
            WHEN 'agent_id' THEN EXISTS (
                SELECT FROM queue_sum WHERE account_no = kept.account_no AND agent = name_id AND calls > 0)
            ELSE EXISTS (SELECT FROM call_sum WHERE account_no = kept.account_no AND calls > 0) END
        UNION
        SELECT name, value, written, sought FROM waiting
    )
    SELECT name, value FROM found ORDER BY {_BEST_FIRST} LIMIT %(limit)s + 1
"""  # noqa: S608 - literals alone


def find_names(
    connection: Connection, accounts: Accounts, part: str, columns: Sequence[NamedColumn], limit: int
) -> tuple[list[FoundName], bool]:
    """Return names in these columns that contain `part`, whatever the case, and whether there are more than `limit`.

    Those that are it come first, without what follows an @, then those that begin with it. Names of accounts are for
    who may see every account. Call in `row_security.reading`; raises StoreUnavailable.
    """
    asked: dict[str, object] = {
        "account_id": accounts.account_id if isinstance(accounts, OneAccount) else None,
        "part": part,
        "columns": list(columns),
        "limit": limit,
    }
    with store_errors():
        rows = connection.execute(_FOUND, asked).fetchall()
    return [FoundName(*row) for row in rows[:limit]], len(rows) > limit
