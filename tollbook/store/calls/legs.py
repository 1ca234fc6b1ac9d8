"""`call_leg`: the facts of every leg, read before a batch is folded and written together with its rows."""

from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import starmap
from typing import Final, Self

import msgspec

from tollbook.model.call_key import CallKey
from tollbook.model.call_leg import recovered
from tollbook.model.leg import Facts, Leg, LegKey
from tollbook.model.notes import Notes
from tollbook.store.arrays import array_literal, key_arrays
from tollbook.store.database import Connection


class _FactsColumn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The column `facts`: a leg without its key."""

    core: str = ""
    seen_us: int = 0
    answered_us: int = 0
    create: Facts | None = None
    look: Facts | None = None
    end: Facts | None = None
    noted: Notes | None = None


_decode = msgspec.json.Decoder(_FactsColumn).decode
_encode = msgspec.json.Encoder().encode


class StoredLeg(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A leg, and the key of the row that it was last folded into."""

    leg: Leg
    row_key: CallKey


#: How many legs of a call count, the first by (Created-Time, Unique-ID). A queue that rings ten agents every 20 seconds
#: makes as many in an hour. A batch reads all legs of the calls that it touches (20 µs each), so without a bound one
#: caller who makes legs of one call for ever would hold up the calls of all others more and more.
MAX_CALL_LEGS: Final = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Related:
    """The stored legs that can share a call with some other legs.

    `counted`: of each of these calls the first MAX_CALL_LEGS. `uncounted`: the legs that were asked for, and parents
    that they name, that are stored but not among these.
    """

    counted: dict[LegKey, StoredLeg]
    uncounted: dict[LegKey, StoredLeg] = field(default_factory=dict[LegKey, StoredLeg])

    def with_further(self, further: Self) -> Self:
        """Return these legs and those that another search found."""
        return type(self)(counted=self.counted | further.counted, uncounted=self.uncounted | further.uncounted)


# A leg can affect these calls. `before`: its own, that of the previous life of its id, which it continues after `sofia
# recover`, and its parent's. `after`: that of the next life of its id, which may continue it. `filed`: the one, under
# its id or its parent's, of legs that name an id that was not heard yet. They began before all lives of that id, so it
# is the oldest call under the id. One round is enough: a leg that a new one re-parents names the new one's id, and so
# is in one of these calls.
# Each search ends at the first hits in an index, however many legs share an id or a call. The rows of `named` come
# first, without facts.
_RELATED: Final = """
    WITH wanted AS MATERIALIZED (
        SELECT * FROM unnest(%(switches)s::text[], %(ids)s::text[], %(at_us)s::bigint[]) AS leg (switch, id, at_us)
    ), named AS MATERIALIZED (
        SELECT before.* FROM wanted, LATERAL (
            SELECT switch, uid, created_us, call_id, call_start_ts FROM call_leg AS leg
            WHERE leg.uid = wanted.id AND leg.created_us <= wanted.at_us AND leg.switch = wanted.switch
            ORDER BY leg.created_us DESC LIMIT 2
        ) AS before
        UNION ALL
        SELECT after.* FROM wanted, LATERAL (
            SELECT switch, uid, created_us, call_id, call_start_ts FROM call_leg AS leg
            WHERE leg.uid = wanted.id AND leg.created_us > wanted.at_us AND leg.switch = wanted.switch
            ORDER BY leg.created_us LIMIT 1
        ) AS after
        UNION ALL
        SELECT filed.* FROM wanted, LATERAL (
            SELECT switch, uid, created_us, call_id, call_start_ts FROM call_leg AS leg
            WHERE leg.call_id = wanted.id AND leg.switch = wanted.switch
            ORDER BY leg.call_start_ts LIMIT 1
        ) AS filed
    )
    SELECT *, NULL AS facts FROM named
    UNION ALL
    SELECT counted.* FROM (SELECT DISTINCT switch, call_id, call_start_ts FROM named) AS call, LATERAL (
        SELECT switch, uid, created_us, call_id, call_start_ts, facts::text FROM call_leg AS leg
        WHERE leg.call_id = call.call_id AND leg.call_start_ts = call.call_start_ts AND leg.switch = call.switch
        ORDER BY leg.created_us, leg.uid LIMIT %(most)s
    ) AS counted
"""

_OF_CALLS: Final = """
    SELECT counted.* FROM unnest(%(starts)s::bigint[], %(ids)s::text[], %(switches)s::text[])
        AS call (start_ts, call_id, switch), LATERAL (
        SELECT switch, uid, created_us, call_id, call_start_ts, facts::text FROM call_leg AS leg
        WHERE leg.call_id = call.call_id AND leg.call_start_ts = call.start_ts AND leg.switch = call.switch
        ORDER BY leg.created_us, leg.uid LIMIT %(most)s
    ) AS counted
"""

_BY_KEY: Final = """
    SELECT leg.switch, uid, leg.created_us, call_id, call_start_ts, facts::text
    FROM unnest(%(switches)s::text[], %(ids)s::text[], %(at_us)s::bigint[]) AS wanted (switch, id, at_us)
    JOIN call_leg AS leg
        ON leg.uid = wanted.id AND leg.created_us = wanted.at_us AND leg.switch = wanted.switch
"""


def related(connection: Connection, wanted: Collection[LegKey]) -> Related:
    """Read the stored legs that can share a call with legs of these ids, their own and their parents', at these times.

    `wanted`: (switch, id, Created-Time in µs of the leg that has the id or names it).
    """
    counted: dict[LegKey, StoredLeg] = {}
    named: set[LegKey] = set()
    asked = {**_arrays(wanted), "most": MAX_CALL_LEGS}
    found = connection.execute(_RELATED, asked, binary=True).fetchall()  # at once: a microsecond less for each row
    for switch, uid, created_us, call_id, call_start_ts, facts in found:
        key = (switch, uid, created_us)
        if facts is None:
            named.add(key)
        else:
            counted[key] = _stored(switch, uid, created_us, call_id, call_start_ts, facts)
    beyond = named - counted.keys()
    if not beyond:
        return Related(counted=counted)
    uncounted: dict[LegKey, StoredLeg] = {}
    for stored in starmap(_stored, connection.execute(_BY_KEY, _arrays(beyond), binary=True)):
        # A recovered leg is no further leg: it continues one that counts.
        (counted if recovered(stored.leg) else uncounted)[stored.leg.key] = stored
    return Related(counted=counted, uncounted=uncounted)


def of_calls(connection: Connection, calls: Collection[CallKey]) -> list[StoredLeg]:
    """Read the legs of these calls that count."""
    starts, ids, switches = key_arrays(calls)
    asked = {"starts": starts, "ids": ids, "switches": switches, "most": MAX_CALL_LEGS}
    return list(starmap(_stored, connection.execute(_OF_CALLS, asked, binary=True)))


def _arrays(keys: Collection[LegKey]) -> dict[str, str]:
    ordered = list(keys)
    return {
        "switches": array_literal([switch for switch, _, _ in ordered]),
        "ids": array_literal([uid for _, uid, _ in ordered]),
        "at_us": array_literal([at_us for _, _, at_us in ordered]),
    }


def _stored(switch: str, uid: str, created_us: int, call_id: str, call_start_ts: int, facts: str) -> StoredLeg:
    return StoredLeg(leg=leg_from(switch, uid, created_us, facts), row_key=CallKey(call_start_ts, call_id, switch))


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
        noted=stored.noted,
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
            # A leg of which only something was noted is not up: nobody waits for its end.
            array_literal([stored.leg.end is not None or not stored.leg.is_known for stored in ordered]),
            _encode([_facts(stored.leg) for stored in ordered]).decode(),
        ),
    )


def _facts(leg: Leg) -> _FactsColumn:
    return _FactsColumn(
        core=leg.core,
        seen_us=leg.seen_us,
        answered_us=leg.answered_us,
        create=leg.create,
        look=leg.look,
        end=leg.end,
        noted=leg.noted,
    )
