"""A deck: the rates of one plan, found by the longest prefix of a number."""

from bisect import bisect_right
from collections.abc import Iterable

from tollbook.model.rate import Rate
from tollbook.model.vocabulary import Direction


class Deck:
    """The rates of one plan, indexed for the longest prefix: one dictionary lookup for each length that occurs.

    Measured against tries (docs/performance.md): as fast, and nothing to build.
    """

    def __init__(self, rates: Iterable[Rate]) -> None:
        # The rate of a prefix that begins last. Earlier ones stand apart, because few prefixes have any.
        self._latest: dict[str, dict[str, Rate]] = {}
        self._earlier: dict[tuple[str, str], list[Rate]] = {}
        self._last_begins_ts = 0
        for rate in rates:
            prefixes = self._latest.setdefault(rate.direction, {})
            latest = prefixes.setdefault(rate.prefix, rate)
            if latest is not rate:
                earlier, prefixes[rate.prefix] = sorted((latest, rate), key=_begins_ts)
                self._earlier.setdefault((rate.direction, rate.prefix), []).append(earlier)
            if rate.valid_from_ts > self._last_begins_ts:
                self._last_begins_ts = rate.valid_from_ts
        for history in self._earlier.values():
            history.sort(key=_begins_ts)
        self._lengths = {
            direction: sorted({len(prefix) for prefix in prefixes}, reverse=True)
            for direction, prefixes in self._latest.items()
        }

    def prices(self, direction: Direction) -> bool:
        """Whether there is any rate for this direction."""
        return direction in self._latest

    def match(self, direction: Direction, digits: str, at_ts: int, whole: bool = False) -> Rate | None:
        """Return the rate with the longest prefix of `digits` that is in force at `at_ts` (epoch ms), if any.

        With `whole` the prefix must be all of `digits`.
        """
        rates = self._latest.get(direction)
        if rates is None:
            return None
        # A length beyond the number's gives the whole number. It may match before its turn, and is still the longest.
        for length in (len(digits),) if whole else self._lengths[direction]:
            rate = rates.get(digits[:length])
            if rate is None:
                continue
            if rate.valid_from_ts > at_ts:
                rate = self._last_begun(direction, digits[:length], at_ts)
            if rate is not None and (rate.valid_to_ts is None or at_ts < rate.valid_to_ts):
                return rate
        return None

    def begins_after(self, direction: Direction, digits: str, at_ts: int, *, whole: bool = False) -> int | None:
        """Return when the first rate for a number begins that begins after `at_ts` (epoch ms); None if none does."""
        if at_ts >= self._last_begins_ts:  # as a rule: only a price that was announced begins later
            return None
        prefixes = self._latest.get(direction)
        if prefixes is None:
            return None
        lengths = (len(digits),) if whole else self._lengths[direction]
        begins = [
            rate.valid_from_ts
            for prefix in {digits[:length] for length in lengths}
            if (latest := prefixes.get(prefix)) is not None
            for rate in (*self._earlier.get((direction, prefix), ()), latest)
            if rate.valid_from_ts > at_ts
        ]
        return min(begins, default=None)

    def _last_begun(self, direction: str, prefix: str, at_ts: int) -> Rate | None:
        """Return the last of a prefix's earlier rates that has begun at `at_ts`, if any: no other is in force then."""
        earlier = self._earlier.get((direction, prefix), ())
        begun = bisect_right(earlier, at_ts, key=_begins_ts)
        return earlier[begun - 1] if begun else None


def _begins_ts(rate: Rate) -> int:
    return rate.valid_from_ts
