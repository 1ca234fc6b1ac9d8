"""Legs to write in batches, and what a batch leaves in the database."""

from collections.abc import Iterable
from typing import Any

from psycopg.rows import dict_row

from tests.factories import created, ended, legs_of
from tests.recorded import SWITCH
from tollbook.model.charge import Price, PricedCharge
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Leg, merge_all
from tollbook.model.record import Row
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions


def price(row: Row) -> Price:
    """Price each charge by its seconds, without any tariffs, so that charges can be told apart."""
    parts = tuple(
        PricedCharge(direction=part.direction, number=part.number, seconds=part.seconds, cost_micros=part.seconds * 7)
        for part in row.parts or ()
    )
    return Price(cost_micros=sum(part.cost_micros or 0 for part in parts), parts=parts)


def write(connection: Connection, legs: Iterable[Leg], partitions: Partitions | None = None) -> None:
    write_batch(connection, legs, FoldSettings(), price, partitions or Partitions())


def table(
    connection: Connection, query: str = "SELECT * FROM call_cdr ORDER BY call_id, start_ts"
) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(query).fetchall()
    connection.rollback()
    return found


def leg(
    uid: str, at_s: float = 0, *, parent: str = "", end_s: float | None = None, create: bool = True, **facts: Any
) -> Leg:
    """Return an inbound leg that began `at_s` after START_US; with `end_s` it has ended, answered from the start."""
    direction = "outbound" if parent else "inbound"
    begun = created(uid, at_s=at_s, originator=parent, channel_direction=direction, **facts)
    events = [begun] if create else []
    if end_s is not None:
        events.append(ended(begun, answered_s=at_s, hangup_s=end_s))
    (leg,) = merge_all(legs_of(*events, switch=SWITCH)).values()
    return leg
