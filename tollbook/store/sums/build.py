"""Builds the sums of a day anew, from rows and archive, beside the listener.

A day of the window is built in one transaction: what waits is rolled up, the day's cells are deleted, and its rows are
counted, all in one snapshot; what is written later waits in `sum_delta`. A day before the window is built in two: the
first counts its late rows, the second adds what the archive had at the first (without the keys that PostgreSQL then
had, or that were changed or deleted after they were archived). In between the day stays unbuilt. If it is named again
meanwhile, or somebody else begins to build it, its claim has changed, the second does nothing, and it is built again.
Trunk legs are not archived: their cube is never built anew.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, LiteralString

from tollbook.model.call_key import CallKey
from tollbook.store.calls.columns import COUNTED
from tollbook.store.calls.seam import read_known_keys
from tollbook.store.database import Connection, store_errors
from tollbook.store.days.window import read_window
from tollbook.store.sums.codes import OF_NOBODY
from tollbook.store.sums.cubes import (
    ARCHIVED_CUBES,
    CALLS,
    OPERATORS,
    Cube,
    add_calls,
    learn_accounts,
    learn_names,
)
from tollbook.store.sums.rollup import roll_up_all
from tollbook.store.sums.unbuilt import ERASURE, Claim
from tollbook.store.sums.writing import SumsBusy, writing_sums
from tollbook.times import MS_PER_DAY

#: What is read of the archive, in this order.
ARCHIVED_COLUMNS: Final[tuple[LiteralString, ...]] = tuple(name for name in COUNTED if name != "trunk_legs")


@dataclass(frozen=True, kw_only=True, slots=True)
class RowsCounted:
    """A day whose rows are counted, under a new claim. `archived`: what the archive has is still to be added to it,
    without `excluded`.
    """

    claim: Claim
    archived: bool
    excluded: frozenset[CallKey] = frozenset()


_COLUMNS: Final[LiteralString] = ", ".join(COUNTED)
_OF_ACCOUNT: Final[LiteralString] = "(%(account)s::text IS NULL OR account_id = %(account)s)"
_ROWS: Final[LiteralString] = f"""
    SELECT 1 AS sign, {_COLUMNS} FROM call_cdr
    WHERE start_ts >= %(first)s AND start_ts < %(end)s AND end_ts IS NOT NULL AND {_OF_ACCOUNT}
"""  # noqa: S608 - literals alone
_STAGED: Final[LiteralString] = f"SELECT sign, {_COLUMNS} FROM archived_calls"  # noqa: S608 - literals alone
_COPY: Final[LiteralString] = f"COPY archived_calls ({', '.join(ARCHIVED_COLUMNS)}) FROM STDIN (FORMAT csv)"
_IS_CLAIMED: Final[LiteralString] = """
    SELECT EXISTS (SELECT FROM sum_unbuilt
                   WHERE day = %(day)s AND account_id IS NOT DISTINCT FROM %(account)s AND claim = %(claim)s)
"""
_RENEW: Final[LiteralString] = """
    UPDATE sum_unbuilt SET claim = gen_random_uuid()
    WHERE day = %(day)s AND (account_id IS NULL OR %(account)s::text IS NULL OR account_id = %(account)s)
    RETURNING account_id, claim
"""
_BUILT: Final[LiteralString] = """
    DELETE FROM sum_unbuilt WHERE day = %(day)s AND account_id IS NOT DISTINCT FROM %(account)s AND claim = %(claim)s
"""
# An account's part in the sums of all is not known any more when it is built anew.
_ADD_ALL_ACCOUNTS: Final[LiteralString] = f"""
    INSERT INTO operator_sum ({", ".join([*OPERATORS.keys, *OPERATORS.measures])})
    SELECT {", ".join([*OPERATORS.keys, *[f"sum({name})" for name in OPERATORS.measures]])} FROM {CALLS.table}
    WHERE quarter >= %(first)s / {CALLS.unit} AND quarter < %(end)s / {CALLS.unit}
    GROUP BY {", ".join(OPERATORS.keys)}
"""  # noqa: S608 - literals alone


def count_rows(connection: Connection, claim: Claim) -> RowsCounted | None:
    """Begin a day anew with its rows; return None if it was built, or named again, meanwhile.

    Call as sole archiver, and load the archive before the lock is released: what is archived later is another state.
    Call in autocommit; raises StoreUnavailable.
    """
    try:
        return _count_rows(connection, claim)
    except SumsBusy:
        return None


def _count_rows(connection: Connection, claim: Claim) -> RowsCounted | None:
    values = _values(claim)
    with writing_sums(connection, wait=True):
        if not _is_true(connection, _IS_CLAIMED, values):
            return None
        claim = _renewed(connection, claim)
        values = _values(claim)
        roll_up_all(connection)
        day = claim.unbuilt.day
        archived = day * MS_PER_DAY < read_window(connection).start_ts
        cubes = _cubes(claim)
        for cube in cubes:
            connection.execute(_deleting(cube), values)
        connection.execute(learn_accounts(_ROWS), values)
        connection.execute(learn_names(_ROWS), values)
        connection.execute(add_calls(_ROWS, cubes), values)
        if archived:
            excluded = read_known_keys(connection, day * MS_PER_DAY, (day + 1) * MS_PER_DAY)
            return RowsCounted(claim=claim, archived=True, excluded=excluded)
        _finish(connection, claim)
    return RowsCounted(claim=claim, archived=False)


def _renewed(connection: Connection, claim: Claim) -> Claim:
    """Return the claim under a new name, and rename all that overlap it: of a day's builders the last one goes on.

    The others, of the same claim, of the whole day or of an account of it, would add the archive's calls once more.
    """
    rows = connection.execute(_RENEW, _values(claim)).fetchall()
    return claim._replace(claim=next(name for account_id, name in rows if account_id == claim.unbuilt.account_id))


def drop_claim(connection: Connection, claim: Claim) -> None:
    """Take a day off the unbuilt ones as it is: the archive has no more calls of it, and nothing could make its sums.

    Call in autocommit; raises StoreUnavailable.
    """
    with suppress(SumsBusy), writing_sums(connection, wait=True):
        roll_up_all(connection)
        _finish(connection, claim)


def add_archived(connection: Connection, claim: Claim, chunks: Iterable[bytes]) -> bool:
    """Add what the archive has of a day, as CSV with ARCHIVED_COLUMNS; False if the day was named again meanwhile.

    Call in autocommit; raises StoreUnavailable, and what `chunks` raises.
    """
    try:
        return _add_archived(connection, claim, chunks)
    except SumsBusy:
        return False


def _add_archived(connection: Connection, claim: Claim, chunks: Iterable[bytes]) -> bool:
    cubes = _cubes(claim)
    with writing_sums(connection, wait=True):
        if not _is_true(connection, _IS_CLAIMED, _values(claim)):
            return False
        connection.execute("CREATE TEMPORARY TABLE archived_calls (LIKE sum_delta) ON COMMIT DROP")
        connection.execute("ALTER TABLE archived_calls ALTER COLUMN sign SET DEFAULT 1")
        with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            for chunk in chunks:
                copy.write(chunk)
        connection.execute("ANALYZE archived_calls")
        connection.execute(learn_accounts(_STAGED))
        connection.execute(learn_names(_STAGED))
        connection.execute(add_calls(_STAGED, cubes))
        _finish(connection, claim)
    return True


def days_with_sums(connection: Connection) -> list[int]:
    """Return the days of which there are sums. Raises StoreUnavailable."""
    with store_errors():
        rows = connection.execute(
            "SELECT DISTINCT (quarter::bigint * %s / %s)::integer FROM operator_sum", (CALLS.unit_ms, MS_PER_DAY)
        ).fetchall()
    return [day for (day,) in rows]


_NUMBER: Final[LiteralString] = f"""
    (SELECT CASE WHEN %(account)s::text IS NULL THEN {OF_NOBODY}
                 ELSE (SELECT account_no FROM sum_account WHERE account_id = %(account)s) END)
"""  # noqa: S608 - literals alone
# What was erased must not stay as a name: of those that no call has any more, and of accounts without a call.
_FORGET_NAMES: Final[LiteralString] = f"""
    DELETE FROM sum_name WHERE account_no = {_NUMBER} AND name_id NOT IN (
        SELECT queue FROM queue_sum WHERE account_no = {_NUMBER}
        UNION SELECT agent FROM queue_sum WHERE account_no = {_NUMBER}
        UNION SELECT destination FROM destination_sum WHERE account_no = {_NUMBER}
    )
"""  # noqa: S608 - literals alone
_FORGET_OTHERS: Final[LiteralString] = f"""
    DELETE FROM sum_other AS beyond WHERE account_no = {_NUMBER}
      AND NOT EXISTS (SELECT FROM call_sum WHERE call_sum.account_no = beyond.account_no)
"""  # noqa: S608 - literals alone
_FORGET_ACCOUNT: Final[LiteralString] = """
    DELETE FROM sum_account AS known WHERE account_id = %(account)s
      AND NOT EXISTS (SELECT FROM call_sum WHERE call_sum.account_no = known.account_no)
"""


def _values(claim: Claim) -> dict[str, object]:
    (day, account_id), claimed, _ = claim
    return {
        "day": day, "account": account_id, "claim": claimed, "first": day * MS_PER_DAY, "end": (day + 1) * MS_PER_DAY,
    }  # fmt: skip


def _cubes(claim: Claim) -> tuple[Cube, ...]:
    """Return the cubes that calls of a claim are added to; an account's reach the sums of all in another way."""
    if claim.unbuilt.account_id is None:
        return ARCHIVED_CUBES
    return tuple(cube for cube in ARCHIVED_CUBES if cube is not OPERATORS)


def _is_true(connection: Connection, query: LiteralString, values: dict[str, object]) -> bool:
    return connection.execute(query, values).fetchone() == (True,)


def _within(cube: Cube) -> LiteralString:
    return f"{cube.time} >= %(first)s / {cube.unit} AND {cube.time} < %(end)s / {cube.unit}"


def _deleting(cube: Cube) -> LiteralString:
    mine: LiteralString = (
        " AND (%(account)s::text IS NULL OR account_no = (SELECT account_no FROM sum_account"
        " WHERE account_id = %(account)s))"
        if "account_no" in cube.keys
        else ""
    )
    return f"DELETE FROM {cube.table} WHERE {_within(cube)}{mine}"  # noqa: S608 - literals alone


def _finish(connection: Connection, claim: Claim) -> None:
    values = _values(claim)
    if claim.unbuilt.account_id is not None:
        connection.execute(_deleting(OPERATORS), values)
        connection.execute(_ADD_ALL_ACCOUNTS, values)
    if claim.reason == ERASURE:
        connection.execute(_FORGET_NAMES, values)
        connection.execute(_FORGET_OTHERS, values)
        connection.execute(_FORGET_ACCOUNT, values)
    connection.execute(_BUILT, values)
