"""When a timer runs next. Pure: the clock is the caller's."""

import datetime as dt
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, kw_only=True)
class Interval:
    """So many seconds after the start of the group, and then after the end of each run: two runs never overlap.

    By a clock that is never set.
    """

    first_s: float
    again_s: float

    def due_s(self, *, begun_s: float, last_s: float | None, ended_s: float | None, chance: float) -> float:
        """Return when the next run is due; `last_s` and `chance` make no difference."""
        del last_s, chance
        return begun_s + self.first_s if ended_s is None else ended_s + self.again_s


@dataclass(frozen=True, kw_only=True)
class Daily:
    """Once a day, at a random moment of the `spread_s` seconds after a time of day: in UTC, or on this machine's clock.

    By the clock on the wall, in seconds since 1970. A run that was missed while nothing ran is made up for at once.
    """

    hour: int
    minute: int
    utc: bool
    spread_s: float

    def due_s(self, *, begun_s: float, last_s: float | None, ended_s: float | None, chance: float) -> float:
        """Return when the next run is due, after the last one that began; `chance` in [0, 1) is its random moment.

        `last_s` None: none ever began, and the first is due at the next such time.
        """
        del ended_s
        return self._next_s(begun_s if last_s is None else last_s) + chance * self.spread_s

    def _next_s(self, after_s: float) -> float:
        zone = dt.UTC if self.utc else None
        # Without a zone the moment is the machine's own, of the summer or of the winter; the days have 23 or 25 hours.
        day = dt.datetime.fromtimestamp(after_s, zone).replace(
            hour=self.hour, minute=self.minute, second=0, microsecond=0
        )
        return day.timestamp() if day.timestamp() > after_s else (day + dt.timedelta(days=1)).timestamp()


Schedule: TypeAlias = Interval | Daily
