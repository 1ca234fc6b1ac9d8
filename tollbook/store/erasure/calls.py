"""The calls of an erasure: their keys, which are collected in `erasure_call`."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import starmap
from typing import Final, TypeAlias
from uuid import UUID

from tollbook.model.call_key import CallKey
from tollbook.store.arrays import array_literal, key_arrays
from tollbook.store.database import Connection, scalar, store_errors

#: Keys that are sent, or read, at once.
PIECE: Final = 5_000

#: A call's key and its account.
ErasedCall: TypeAlias = tuple[CallKey, str | None]


def count_calls(connection: Connection, account_id: str, until_ts: int) -> tuple[int, int]:
    """Count an account's calls that started before `until_ts`: those that are complete, and those that are up."""
    with store_errors():
        row = connection.execute(
            "SELECT count(end_ts), count(*) - count(end_ts) FROM call_cdr WHERE account_id = %s AND start_ts < %s",
            (account_id, until_ts),
        ).fetchone()
    assert row is not None
    return row


def collect_account(connection: Connection, erasure_id: UUID, account_id: str, until_ts: int) -> None:
    """Collect the complete calls of an account that started before `until_ts`."""
    with store_errors():
        connection.execute(
            "INSERT INTO erasure_call (erasure_id, start_ts, call_id, switch, account_id)"
            " SELECT %s, start_ts, call_id, switch, account_id FROM call_cdr"
            " WHERE account_id = %s AND start_ts < %s AND end_ts IS NOT NULL ON CONFLICT DO NOTHING",
            (erasure_id, account_id, until_ts),
        )


def collect(connection: Connection, erasure_id: UUID, calls: Sequence[ErasedCall]) -> None:
    """Collect calls."""
    for begin in range(0, len(calls), PIECE):
        piece = calls[begin : begin + PIECE]
        starts, ids, switches = key_arrays([key for key, _ in piece])
        accounts = array_literal([account for _, account in piece])
        with store_errors():
            connection.execute(
                "INSERT INTO erasure_call (erasure_id, start_ts, call_id, switch, account_id)"
                " SELECT %s, * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) ON CONFLICT DO NOTHING",
                (erasure_id, starts, ids, switches, accounts),
            )


def leave_waiting(connection: Connection, erasure_id: UUID) -> int:
    """Take the calls that wait for the archive out of those collected, and return how many.

    One that has changed its account since it was archived is there under the name of another, until it is archived
    again.
    """
    with store_errors():
        return connection.execute(
            "DELETE FROM erasure_call AS erased USING archive_outbox AS waiting WHERE erasure_id = %s"
            " AND (waiting.start_ts, waiting.call_id, waiting.switch)"
            "  = (erased.start_ts, erased.call_id, erased.switch)",
            (erasure_id,),
        ).rowcount


def leave_moved(connection: Connection, erasure_id: UUID) -> None:
    """Take the calls that are another account's by now out of those collected: they wait to be archived as such."""
    with store_errors():
        connection.execute(
            "DELETE FROM erasure_call AS erased USING call_cdr AS call WHERE erasure_id = %s"
            " AND (call.start_ts, call.call_id, call.switch) = (erased.start_ts, erased.call_id, erased.switch)"
            " AND call.account_id IS DISTINCT FROM erased.account_id",
            (erasure_id,),
        )


def accounts_of(connection: Connection, erasure_id: UUID) -> list[str | None]:
    """Return the accounts whose calls were collected."""
    with store_errors():
        rows = connection.execute(
            "SELECT DISTINCT account_id FROM erasure_call WHERE erasure_id = %s", (erasure_id,)
        ).fetchall()
    return [account for (account,) in rows]


def collected(connection: Connection, erasure_id: UUID) -> int:
    """Count the calls that were collected."""
    with store_errors():
        return int(str(scalar(connection, "SELECT count(*) FROM erasure_call WHERE erasure_id = %s", erasure_id)))


def collected_between(connection: Connection, erasure_id: UUID, first_ms: int, last_ms: int) -> list[CallKey]:
    """Return the collected calls that started from `first_ms` to `last_ms`, both included."""
    with store_errors():
        rows = connection.execute(
            "SELECT start_ts, call_id, switch FROM erasure_call WHERE erasure_id = %s AND start_ts BETWEEN %s AND %s",
            (erasure_id, first_ms, last_ms),
        ).fetchall()
    return list(starmap(CallKey, rows))


def collected_with_ids(
    connection: Connection, erasure_id: UUID, ids: Collection[str]
) -> dict[tuple[str, str], list[int]]:
    """Return when the collected calls with these ids started (epoch ms), by switch and id."""
    with store_errors():
        rows = connection.execute(
            "SELECT switch, call_id, start_ts FROM erasure_call WHERE erasure_id = %s AND call_id = ANY (%s)",
            (erasure_id, list(ids)),
        ).fetchall()
    found: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for switch, call_id, start_ts in rows:
        found[switch, call_id].append(start_ts)
    return found


def still_there(connection: Connection, erasure_id: UUID) -> int:
    """Count the collected calls that PostgreSQL has a row of, under the account that they were collected under."""
    query = (
        "SELECT count(*) FROM erasure_call AS erased JOIN call_cdr AS call USING (start_ts, call_id, switch)"
        " WHERE erasure_id = %s AND call.account_id IS NOT DISTINCT FROM erased.account_id"
    )
    with store_errors():
        return int(str(scalar(connection, query, erasure_id)))


def digest(connection: Connection, erasure_id: UUID) -> str:
    """Return the SHA-256 of the collected keys, as `receipts.Erasure` has it. Call in autocommit."""
    hashed = hashlib.sha256()
    query = (
        "SELECT start_ts, call_id, switch FROM erasure_call WHERE erasure_id = %s ORDER BY start_ts, call_id, switch"
    )
    with store_errors():
        for start_ts, call_id, switch in connection.cursor().stream(query, (erasure_id,), size=PIECE):
            hashed.update(f"{start_ts}\t{call_id}\t{switch}\n".encode())
    return hashed.hexdigest()
