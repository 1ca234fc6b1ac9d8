"""`switch_process`: the switch processes that listeners have heard, and the legs that they left open."""

from collections.abc import Collection
from dataclasses import dataclass

import msgspec

from tollbook.model.leg import Leg
from tollbook.store.arrays import array_literal
from tollbook.store.calls.legs import leg_from
from tollbook.store.database import Connection, limit_transaction, store_errors


class SwitchProcess(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One process of a switch: its Core-UUID, where it was heard, and its last sign of life (epoch µs, its clock).

    The last sign is the time of the event with the greatest `Event-Sequence`, `sequence`, which a process counts for
    itself: the greatest time would be that of a clock that once jumped ahead, and the process's open calls would all
    last until then. `unheard`: sessions that it counted but sent no event of, since the last note.
    """

    core: str
    address: str
    switch: str
    sequence: int
    seen_us: int
    unheard: int = 0

    def merge(self, later: "SwitchProcess") -> "SwitchProcess":
        """Return what is known after another note of the same process, which was made later."""
        if later.sequence >= self.sequence and not self.unheard:  # nearly every event
            return later
        newest = self if self.sequence > later.sequence else later
        return msgspec.structs.replace(
            later, sequence=newest.sequence, seen_us=newest.seen_us, unheard=self.unheard + later.unheard
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenLeg:
    """A leg without an end, and the last sign of life (epoch µs) of the switch process that it belongs to."""

    leg: Leg
    seen_us: int


def note(connection: Connection, processes: Collection[SwitchProcess]) -> None:
    """Record signs of life in a transaction of their own. Raises our errors."""
    if not processes:
        return
    with store_errors(), connection.transaction():
        limit_transaction(connection)
        # It need not wait for the disk: a crash of the server takes back a second of it.
        connection.execute("SET LOCAL synchronous_commit = off")
        upsert(connection, processes)


def upsert(connection: Connection, processes: Collection[SwitchProcess]) -> None:
    """Write signs of life; one that arrives late moves nothing back."""
    if not processes:
        return
    ordered = sorted(processes, key=lambda process: process.core)
    connection.execute(
        "INSERT INTO switch_process AS known (core, address, switch, sequence, seen_us, unheard)"
        " SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[])"
        " ON CONFLICT (core) DO UPDATE SET"
        "  address = excluded.address, unheard = known.unheard + excluded.unheard,"
        "  seen_us = CASE WHEN excluded.sequence < known.sequence THEN known.seen_us ELSE excluded.seen_us END,"
        "  sequence = greatest(known.sequence, excluded.sequence)",
        (
            array_literal([process.core for process in ordered]),
            array_literal([process.address for process in ordered]),
            array_literal([process.switch for process in ordered]),
            array_literal([process.sequence for process in ordered]),
            array_literal([process.seen_us for process in ordered]),
            array_literal([process.unheard for process in ordered]),
        ),
    )


def open_legs(connection: Connection, address: str) -> list[OpenLeg]:
    """Read the legs without an end of every process that was heard at an address."""
    with store_errors():
        found = connection.execute(
            "SELECT life.seen_us, leg.switch, leg.uid, leg.created_us, leg.facts::text"
            " FROM switch_process AS life JOIN call_leg AS leg ON leg.core = life.core AND NOT leg.ended"
            " WHERE life.address = %s",
            (address,),
            binary=True,
        )
        return [OpenLeg(leg=leg_from(*row), seen_us=seen_us) for seen_us, *row in found]
