"""Whether calls are in PostgreSQL already, whoever recorded them: by the ids of their roots, near their times."""

from collections.abc import Collection
from typing import Final, NamedTuple

from tollbook.store.arrays import array_literal
from tollbook.store.database import Connection, store_errors

# A root may be here as the leg of another call, and a call without its legs, as one that was restored is.
_RECORDED: Final = """
    SELECT call.switch, call.call_id, call.start_ts, call.end_ts FROM call_cdr AS call
    WHERE call.call_id = ANY (%(ids)s::text[]) AND call.start_ts BETWEEN %(first)s AND %(last)s
    UNION
    SELECT leg.switch, leg.uid, leg.created_us / 1000, NULL FROM call_leg AS leg
    WHERE leg.uid = ANY (%(ids)s::text[])
      AND leg.created_us BETWEEN %(first)s::bigint * 1000 AND %(last)s::bigint * 1000 + 999
      AND leg.call_id <> ''
"""


class Recorded(NamedTuple):
    """A call, or a leg of one, that a tier has: when it began, and ended if that is known, epoch ms."""

    switch: str
    call_id: str
    start_ts: int
    end_ts: int | None


def find_recorded(connection: Connection, ids: Collection[str], *, first_ms: int, last_ms: int) -> list[Recorded]:
    """Return the calls and legs with these ids that began from `first_ms` to `last_ms`; raise StoreUnavailable."""
    asked = {"ids": array_literal(list(ids)), "first": first_ms, "last": last_ms}
    with store_errors():
        rows = connection.execute(_RECORDED, asked).fetchall()
    return [Recorded(*row) for row in rows]


def known_switches(connection: Connection) -> list[str]:
    """Return the names of the switches that a listener has heard; raise StoreUnavailable."""
    with store_errors():
        rows = connection.execute("SELECT DISTINCT switch FROM switch_process ORDER BY switch").fetchall()
    return [switch for (switch,) in rows]
