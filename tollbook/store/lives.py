"""`switch_life`: the processes of the switches that were heard, and those that have died."""

from collections.abc import Collection
from dataclasses import dataclass

from tollbook.store.arrays import array_literal
from tollbook.store.database import Connection, store_errors


@dataclass(frozen=True, kw_only=True, slots=True)
class Life:
    """One process of a switch: its Core-UUID, where it was heard, and its last sign of life (epoch µs, its clock)."""

    core: str
    address: str
    switch: str
    seen_us: int


def note(connection: Connection, lives: Collection[Life]) -> list[Life]:
    """Record signs of life, and give the lives before them at the same addresses, which are over."""
    if not lives:
        return []
    ordered = sorted(lives, key=lambda life: life.core)
    with store_errors(), connection.transaction():
        connection.execute(
            "INSERT INTO switch_life AS known (core, address, switch, seen_us)"
            " SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[])"
            " ON CONFLICT (core) DO UPDATE SET seen_us = greatest(known.seen_us, excluded.seen_us)",
            (
                array_literal([life.core for life in ordered]),
                array_literal([life.address for life in ordered]),
                array_literal([life.switch for life in ordered]),
                array_literal([life.seen_us for life in ordered]),
            ),
        )
        # A process heard again at its address, as after a fail-over and back, is not over: the newest one lives.
        over = connection.execute(
            "SELECT core, address, switch, seen_us FROM switch_life AS old"
            " WHERE NOT closed AND address = ANY (%s::text[]) AND EXISTS ("
            "  SELECT FROM switch_life AS newer WHERE newer.address = old.address AND newer.seen_us > old.seen_us)",
            (array_literal([life.address for life in ordered]),),
        ).fetchall()
    return [Life(core=core, address=address, switch=switch, seen_us=seen) for core, address, switch, seen in over]


def close(connection: Connection, lives: Collection[Life]) -> None:
    """Record that the calls of these lives have been ended."""
    with store_errors(), connection.transaction():
        connection.execute(
            "UPDATE switch_life SET closed = true WHERE core = ANY (%s::text[])",
            (array_literal([life.core for life in lives]),),
        )
