"""The legs of erased calls: by their ids until the erasure is finished, and by hashes from then on.

A hash is the SHA-256 of `switch TAB uid`. Ids are random, so that nobody finds an id by its hash; and a hash says
neither whose call it was nor when.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator
from typing import Final
from uuid import UUID

from tollbook.model.leg import Leg, LegKey
from tollbook.store.arrays import array_literal
from tollbook.store.database import Connection, limit_transaction, store_errors

# Hashes that are sent, or read, at once.
_PIECE: Final = 5_000


def names_of(leg: Leg) -> Iterator[str]:
    """Yield the id of a leg, and of those that it was made for."""
    yield leg.uid
    for facts in (leg.create, leg.look, leg.end):
        if facts is not None and facts.parent is not None:
            yield facts.parent.uid


def hash_of(switch: str, uid: str) -> bytes:
    """Return the hash of a leg's id."""
    return hashlib.sha256(f"{switch}\t{uid}".encode()).digest()


def note_leg(connection: Connection, erasure_id: UUID, leg: Leg) -> None:
    """Note a leg of a call of an unfinished erasure. Raises StoreUnavailable."""
    with store_errors():
        connection.execute(
            "INSERT INTO erasure_leg (erasure_id, switch, uid, created_us) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            (erasure_id, leg.switch, leg.uid, leg.created_us),
        )


def noted_legs(connection: Connection, erasure_id: UUID, ids: Collection[str]) -> set[LegKey]:
    """Return the keys of the legs that an unfinished erasure has noted which have one of these ids."""
    with store_errors():
        rows = connection.execute(
            "SELECT switch, uid, created_us FROM erasure_leg WHERE erasure_id = %s AND uid = ANY (%s)",
            (erasure_id, list(ids)),
        ).fetchall()
    return {(switch, uid, created_us) for switch, uid, created_us in rows}


def hash_legs(connection: Connection, erasure_id: UUID) -> None:
    """Keep the hashes of all legs of an erasure that is done, and of the ids of its calls. Raises StoreUnavailable."""
    with store_errors(), connection.transaction():
        limit_transaction(connection)
        connection.execute(
            """
            INSERT INTO erased_leg AS known (leg_sha256, until_ts)
            SELECT DISTINCT sha256(convert_to(switch || E'\\t' || uid, 'UTF8')), until_ts
            FROM (
                SELECT switch, uid FROM erasure_leg WHERE erasure_id = %(erasure)s
                UNION ALL SELECT switch, call_id FROM erasure_call WHERE erasure_id = %(erasure)s
            ) AS leg, erasure WHERE erasure_id = %(erasure)s
            ON CONFLICT (leg_sha256) DO UPDATE SET until_ts = greatest(known.until_ts, excluded.until_ts)
            """,
            {"erasure": erasure_id},
        )


def hashes_until(connection: Connection, until_ts: int) -> Iterator[list[str]]:
    """Yield the hashes, in hexadecimal, of the legs that an erasure of calls before `until_ts` removed, in pieces."""
    after = b""
    while True:
        with store_errors():
            rows = connection.execute(
                "SELECT leg_sha256 FROM erased_leg WHERE until_ts = %s AND leg_sha256 > %s"
                " ORDER BY leg_sha256 LIMIT %s",
                (until_ts, after, _PIECE),
            ).fetchall()
        if not rows:
            return
        yield [found.hex() for (found,) in rows]
        after = rows[-1][0]


def learn_hashes(connection: Connection, hashes: Collection[str], until_ts: int) -> None:
    """Keep hashes, in hexadecimal, that an archive has of an erasure before a restore. Raises StoreUnavailable."""
    with store_errors():
        connection.execute(
            "INSERT INTO erased_leg AS known (leg_sha256, until_ts)"
            " SELECT decode(hash, 'hex'), %s FROM unnest(%s::text[]) AS hash"
            " ON CONFLICT (leg_sha256) DO UPDATE SET until_ts = greatest(known.until_ts, excluded.until_ts)",
            (until_ts, array_literal(list(hashes))),
        )


def erased_before(connection: Connection, legs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Return those of these legs, by switch and id, that were erased, and before what time, epoch ms, such a leg began.

    Raises StoreUnavailable.
    """
    by_hash = {hash_of(*leg): leg for leg in legs}
    with store_errors():
        rows = connection.execute(
            "SELECT leg_sha256, until_ts FROM erased_leg WHERE leg_sha256 = ANY (%s)", (list(by_hash),)
        ).fetchall()
    return {by_hash[found]: until_ts for found, until_ts in rows}
