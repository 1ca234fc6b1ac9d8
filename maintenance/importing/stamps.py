"""The times of a record: epoch seconds, times with an offset, and times of the switch's own zone, which repeat an hour.

FreeSWITCH writes `start_stamp` and its like in whole seconds of the machine's zone, without saying which that is.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from tollbook.errors import DataError, UsageError
from tollbook.times import US_PER_SECOND, clock_us

# An epoch of seconds has 10 digits from 2001 to 2286, one of ms 13, one of µs 16.
_US_PER_DIGIT: Final = {10: US_PER_SECOND, 13: 1000, 16: 1}
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_US: Final = dt.timedelta(microseconds=1)


class NoZone(UsageError):
    """A time has no zone, and none was named."""


class Times(NamedTuple):
    """When a leg began, was answered (0: never) and ended, epoch µs; `doubled`: it began in one of two equal hours."""

    start_us: int
    answer_us: int
    end_us: int
    doubled: bool


@dataclass(frozen=True, kw_only=True)
class StampReader:
    """Reads the times of records; `zone` is that of times that name none."""

    zone: ZoneInfo | None = None

    def read(self, values: Mapping[str, str]) -> Times:
        """Return the times of a leg by FreeSWITCH's names: `start_uepoch`, `start_epoch`, `start_stamp`, and so on.

        Of a time that the clock showed twice, as summer time ended, the one is taken that fits the record's own
        duration, and the earlier one where both do. Raises DataError for times that are missing, absurd or in no order,
        and NoZone.
        """
        starts, answers, ends = (self._candidates(values, name) for name in ("start", "answer", "end"))
        if not starts:
            raise DataError("it has no time at which it began")
        duration, billed = _seconds(values.get("duration", "")), _seconds(values.get("billsec", ""))
        if not ends:
            if duration is None:
                raise DataError("it has no time at which it ended")
            ends = [start + duration * US_PER_SECOND for start in starts]
        if not answers and billed:  # a template without answer_stamp
            answers = [end - billed * US_PER_SECOND for end in ends]
        ordered = [
            (start, answer, end)
            for start, answer, end in product(starts, answers or (0,), ends)
            if start <= end and (not answer or start <= answer <= end)
        ]
        if not ordered:
            raise DataError("it was answered or ended before it began")
        fitting = [times for times in ordered if _fits(times, duration, billed)] or ordered
        return Times(*fitting[0], doubled=len({start for start, _, _ in fitting}) > 1)

    def _candidates(self, values: Mapping[str, str], name: str) -> Sequence[int]:
        """Return what a time may be, epoch µs: two where the clock showed it twice, none if it is not stated."""
        for suffix in ("uepoch", "epoch", "stamp"):
            text = values.get(f"{name}_{suffix}", "").strip()
            if text and text.strip("0.") and text.lower() != "null":
                found = self._parse(text)
                if not all(map(clock_us, found)):
                    raise DataError(f"{name}_{suffix} is {text!r}: before 2000, or after 2100")
                return found
        return ()

    def _parse(self, text: str) -> Sequence[int]:
        whole, _, rest = text.partition(".")
        if whole.isascii() and whole.isdigit() and (not rest or (rest.isascii() and rest.isdigit())):
            if len(whole) not in _US_PER_DIGIT:
                raise DataError(f"{text[:40]!r} is no time: neither seconds, ms nor µs since 1970")
            return (int(whole) * _US_PER_DIGIT[len(whole)],)
        try:
            when = dt.datetime.fromisoformat(text)
        except ValueError:
            raise DataError(f"{text[:40]!r} is no time like 2026-12-01 00:00:00") from None
        if when.tzinfo is not None:
            return ((when - _EPOCH) // _US,)
        if self.zone is None:
            raise NoZone(
                f"times like {text!r} have no zone: name the one of the machine that wrote them, with"
                " `--timezone Europe/Berlin`"
            )
        try:
            found = sorted({(when.replace(tzinfo=self.zone, fold=fold) - _EPOCH) // _US for fold in (0, 1)})
            shown = [us for us in found if (_EPOCH + us * _US).astimezone(self.zone).replace(tzinfo=None) == when]
        except OverflowError:  # 0001-01-01 or 9999-12-31, as some write no time
            raise DataError(f"{text!r} is before 2000, or after 2100") from None
        if not shown:
            raise DataError(f"{text!r} does not exist in {self.zone.key}: the clock was set forward over it")
        return shown


def _seconds(text: str) -> int | None:
    whole = text.strip().partition(".")[0]
    return int(whole) if whole.isascii() and whole.isdigit() and len(whole) < 9 else None


def _fits(times: tuple[int, int, int], duration: int | None, billed: int | None) -> bool:
    start, answer, end = times
    lasted = duration is None or abs((end - start) // US_PER_SECOND - duration) <= 1
    return lasted or (bool(answer) and billed is not None and abs((end - answer) // US_PER_SECOND - billed) <= 1)
