"""A deck: the rates of one plan, found by the longest prefix of a number."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable

from tollbook.model.rate import Rate


class Deck:
    """The rates of one plan, indexed for the longest prefix: one dictionary probe for each length that occurs."""

    def __init__(self, rates: Iterable[Rate]) -> None:
        by_prefix: defaultdict[str, defaultdict[str, list[Rate]]] = defaultdict(lambda: defaultdict(list))
        for rate in rates:
            by_prefix[rate.direction][rate.prefix].append(rate)
        self._rates: dict[str, dict[str, list[Rate]]] = {}
        self._lengths: dict[str, list[int]] = {}
        for direction, prefixes in by_prefix.items():
            for history in prefixes.values():
                history.sort(key=lambda rate: rate.valid_from_ts)
            self._rates[direction] = dict(prefixes)
            self._lengths[direction] = sorted({len(prefix) for prefix in prefixes}, reverse=True)

    def prices(self, direction: str) -> bool:
        """Tell whether there is a rate for this direction at all."""
        return direction in self._rates

    def match(self, direction: str, digits: str, at_ts: int, *, whole: bool = False) -> Rate | None:
        """Find the rate with the longest prefix of `digits` that is in force at `at_ts` (epoch ms).

        `whole`: only a prefix that is all of `digits` will do.
        """
        rates = self._rates.get(direction)
        if rates is None:
            return None
        for length in self._lengths[direction] if not whole else (len(digits),):
            if length <= len(digits) and (history := rates.get(digits[:length])):
                rate = _in_force(history, at_ts)
                if rate is not None:
                    return rate
        return None


def _in_force(history: list[Rate], at_ts: int) -> Rate | None:
    place = bisect_right(history, at_ts, key=lambda rate: rate.valid_from_ts)
    if place == 0:
        return None
    rate = history[place - 1]
    return rate if rate.valid_to_ts is None or at_ts < rate.valid_to_ts else None
