"""`switch_process`: the switch processes that listeners have heard, and the legs that they left open."""

from collections.abc import Collection
from dataclasses import dataclass

from tollbook.model.leg import Leg
from tollbook.store.arrays import array_literal
from tollbook.store.calls.legs import leg_from
from tollbook.store.database import Connection, limit_transaction, store_errors


@dataclass(frozen=True, kw_only=True, slots=True)
class SwitchProcess:
    """One process of a switch: its Core-UUID, where it was heard, and its last sign of life (epoch µs, its clock).

    `unheard`: sessions that it counted but sent no event of, since the last note.
    """

    core: str
    address: str
    switch: str
    seen_us: int
    unheard: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenLeg:
    """A leg without an end, and the last sign of life (epoch µs) of the switch process that it belongs to."""

    leg: Leg
    seen_us: int


def note(connection: Connection, processes: Collection[SwitchProcess]) -> None:
    """Record signs of life; one that arrives late never moves the last one back."""
    if not processes:
        return
    ordered = sorted(processes, key=lambda process: process.core)
    with store_errors(), connection.transaction():
        limit_transaction(connection)
        connection.execute(
            "INSERT INTO switch_process AS known (core, address, switch, seen_us, unheard)"
            " SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[])"
            " ON CONFLICT (core) DO UPDATE SET"
            "  address = excluded.address, seen_us = greatest(known.seen_us, excluded.seen_us),"
            "  unheard = known.unheard + excluded.unheard",
            (
                array_literal([process.core for process in ordered]),
                array_literal([process.address for process in ordered]),
                array_literal([process.switch for process in ordered]),
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
