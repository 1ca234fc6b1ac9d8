"""`call_leg`: the facts of every leg, read before a batch is folded and written together with its rows."""

from collections.abc import Collection
from dataclasses import dataclass

import msgspec

from tollbook.model.call_key import CallKey
from tollbook.model.leg import Facts, Leg
from tollbook.store.arrays import array_literal
from tollbook.store.database import Connection


class _Stored(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The column `facts`: a leg without its key."""

    core: str = ""
    seen_us: int = 0
    answered_us: int = 0
    create: Facts | None = None
    look: Facts | None = None
    end: Facts | None = None


_decode = msgspec.json.Decoder(_Stored).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredLeg:
    """A leg, and the key of the row that it was last folded into."""

    leg: Leg
    row_key: CallKey


# A leg can affect the calls that hold a leg with its id or its parent's id, and those filed under either id because
# the leg itself was still unknown. One round is enough: a leg that a new one re-parents names the new one's id, and so
# is in one of these calls.
_RELATED = """
    SELECT switch, uid, created_us, call_id, call_start_ts, facts::text
    FROM call_leg
    WHERE call_id = ANY (
        ARRAY (SELECT DISTINCT call_id FROM call_leg WHERE uid = ANY (%(ids)s::text[])) || %(ids)s::text[]
    )
"""


def related(connection: Connection, ids: Collection[str]) -> list[StoredLeg]:
    """Read every stored leg that can share a call with legs of these ids (their own and their parents')."""
    return [
        StoredLeg(leg=leg_from(switch, uid, created_us, facts), row_key=CallKey(call_start_ts, call_id, switch))
        for switch, uid, created_us, call_id, call_start_ts, facts in connection.execute(
            _RELATED, {"ids": array_literal(list(ids))}, binary=True
        )
    ]


def leg_from(switch: str, uid: str, created_us: int, facts: str) -> Leg:
    """Build a leg from its columns; `facts` is JSON text."""
    stored = _decode(facts)
    return Leg(
        switch=switch,
        uid=uid,
        created_us=created_us,
        core=stored.core,
        seen_us=stored.seen_us,
        answered_us=stored.answered_us,
        create=stored.create,
        look=stored.look,
        end=stored.end,
    )


# The facts are sent as one JSON array: escaping a JSON text for each element of an array literal cost a third of the
# listener's time.
_UPSERT = """
    INSERT INTO call_leg (uid, created_us, switch, call_id, call_start_ts, core, ended, facts)
    SELECT * FROM ROWS FROM (
        unnest(%s::text[], %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::boolean[]),
        json_array_elements(%s::text::json)
    )
    ON CONFLICT (uid, created_us, switch) DO UPDATE SET
        call_id = excluded.call_id, call_start_ts = excluded.call_start_ts, core = excluded.core,
        ended = excluded.ended, facts = excluded.facts
"""


def upsert(connection: Connection, legs: Collection[StoredLeg]) -> None:
    """Write whole legs, each key at most once: PostgreSQL refuses to update a row twice in one statement."""
    if not legs:
        return
    ordered = sorted(legs, key=lambda stored: stored.leg.key)
    connection.execute(
        _UPSERT,
        (
            array_literal([stored.leg.uid for stored in ordered]),
            array_literal([stored.leg.created_us for stored in ordered]),
            array_literal([stored.leg.switch for stored in ordered]),
            array_literal([stored.row_key.call_id for stored in ordered]),
            array_literal([stored.row_key.start_ts for stored in ordered]),
            array_literal([stored.leg.core for stored in ordered]),
            array_literal([stored.leg.end is not None for stored in ordered]),
            _encode([_facts(stored.leg) for stored in ordered]).decode(),
        ),
    )


def _facts(leg: Leg) -> _Stored:
    return _Stored(
        core=leg.core,
        seen_us=leg.seen_us,
        answered_us=leg.answered_us,
        create=leg.create,
        look=leg.look,
        end=leg.end,
    )
