"""The time that a cube answers for, where its sums are there and PostgreSQL has the rows at its ends."""

import time

from tollbook.model.selection import Selection
from tollbook.store.database import Connection
from tollbook.store.days.window import read_window
from tollbook.store.sums.cubes import Cube
from tollbook.store.sums.question import Span, Unanswered, span_of
from tollbook.store.sums.unbuilt import is_built


def built_span(connection: Connection, selection: Selection, cube: Cube) -> Span | Unanswered:
    """Return what of a selection's time is read from a cube, and what from rows; or why the cube does not answer.

    Raises StoreUnavailable.
    """
    span = span_of(selection.since, selection.until, cube.unit_ms, time.time_ns() // 1_000_000)
    if any(first < read_window(connection).start_ts for first, _ in span.added + span.removed):
        return "edge"
    return span if is_built(connection, selection.accounts, span.first, span.end) else "unbuilt"
