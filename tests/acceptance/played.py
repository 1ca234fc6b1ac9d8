"""Calls that these tests play on a simulated switch, the rows expected from them, and the rows found."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.paths import CALLS
from tollbook.model.record import COLUMNS
from tollbook.simulator.freshen import FreshCall
from tollbook.simulator.recording import Recording, load
from tollbook.simulator.thread import SwitchThread

# A third of them, because each play cuts them up for copying. Without two whose dialled number contains another call's
# id, which `FreshCall.rows` leaves as it was recorded.
NAMES = sorted(folder.name for folder in CALLS.iterdir() if folder.name not in ("eavesdrop", "pickup"))
RECORDINGS = [load(CALLS / name) for name in NAMES[::3]]

Key = tuple[str, int]
Row = dict[str, Any]


class Calls:
    """Calls that are played on a switch, and the rows expected from them."""

    def __init__(self, switch: SwitchThread, recordings: Sequence[Recording]) -> None:
        self._switch = switch
        self._recordings = recordings
        self.rows: dict[Key, Row] = {}

    def play(
        self,
        count: int,
        calls_per_s: float = 600,
        speed: float = 100,
        clock_us: Callable[[], int] | None = None,
    ) -> "Future[int]":
        """Begin `count` calls at a rate, each `speed` times as fast as recorded; return a future of their end.

        `clock_us` says when each begins, in epoch µs; now, if there is none.
        """
        return self._switch.start_playing_at_rate(
            self._recordings,
            calls_per_s=calls_per_s,
            count=count,
            speed=speed,
            on_begin=self.note,
            clock_us=clock_us,
        )

    def play_unpaced(self, count: int, timeout_s: float = 60) -> None:
        """Play `count` calls as fast as they are read, and wait for the end."""
        self._switch.play_unpaced(self._recordings, count=count, on_begin=self.note, timeout_s=timeout_s)

    def start_playing_unpaced(self, count: int) -> "Future[int]":
        """Begin `count` calls as fast as possible, whether or not they are read; return a future of their end."""
        return self._switch.start_playing_unpaced(self._recordings, count=count, on_begin=self.note)

    def note(self, call: FreshCall) -> None:
        """Add the rows of a call that is played in another way to those expected."""
        self.rows.update({(row["call_id"], row["start_ts"]): row for row in call.rows})


def found(url: str) -> dict[Key, Row]:
    """Read every row, in the form of the recordings' rows: only one that is estimated says so."""
    return dict(_read(url))


def wrong_rows(url: str, wanted: dict[Key, Row]) -> Iterator[str]:
    """Yield what differs, row by row: pytest's comparison of 120,000 rows would be unreadable."""
    missing = set(wanted)
    for key, row in _read(url):
        missing.discard(key)
        if row != wanted.get(key):
            yield f"{row} instead of {wanted.get(key)}"
    yield from (f"{key} is missing" for key in missing)


def _read(url: str) -> Iterator[tuple[Key, Row]]:
    with psycopg.connect(url, row_factory=dict_row) as connection, connection.cursor(name="rows") as cursor:
        cursor.itersize = 5_000
        cursor.execute("SELECT * FROM call_cdr")
        for row in cursor:
            shown = {column: row[column] for column in COLUMNS if column != "cost_micros"}
            shown["parts"] = [[part["direction"], part["number"], part["seconds"]] for part in row["parts"] or []]
            if row["estimated"]:
                shown["estimated"] = True
            yield (row["call_id"], row["start_ts"]), shown
