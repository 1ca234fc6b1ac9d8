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
        # A list only where a prefix has several rates, one after another: a million lists of one take 90 MB.
        self._rates: dict[str, dict[str, Rate | list[Rate]]] = {}
        histories: list[list[Rate]] = []
        for rate in rates:
            prefixes = self._rates.setdefault(rate.direction, {})
            before = prefixes.setdefault(rate.prefix, rate)
            if isinstance(before, list):
                before.append(rate)
            elif before is not rate:
                prefixes[rate.prefix] = history = [before, rate]
                histories.append(history)
        for history in histories:
            history.sort(key=_valid_from)
        self._lengths = {
            direction: sorted({len(prefix) for prefix in prefixes}, reverse=True)
            for direction, prefixes in self._rates.items()
        }

    def prices(self, direction: Direction) -> bool:
        """Whether there is any rate for this direction."""
        return direction in self._rates

    def match(self, direction: Direction, digits: str, at_ts: int, *, whole: bool = False) -> Rate | None:
        """Return the rate with the longest prefix of `digits` that is in force at `at_ts` (epoch ms), if any.

        With `whole` the prefix must be all of `digits`.
        """
        rates = self._rates.get(direction)
        if rates is None:
            return None
        # A length beyond the number's gives the whole number. It may match before its turn, and is still the longest.
        for length in (len(digits),) if whole else self._lengths[direction]:
            if (found := rates.get(digits[:length])) is not None:
                rate = _in_force(found, at_ts)
                if rate is not None:
                    return rate
        return None

    def begins_after(self, direction: Direction, digits: str, at_ts: int, *, whole: bool = False) -> int | None:
        """Return when the first rate for a number begins that begins after `at_ts` (epoch ms); None if none does."""
        prefixes = self._rates.get(direction, {})
        lengths = (len(digits),) if whole else {min(length, len(digits)) for length in self._lengths.get(direction, ())}
        begins = [
            rate.valid_from_ts
            for length in lengths
            if (found := prefixes.get(digits[:length])) is not None
            for rate in (found if isinstance(found, list) else [found])
            if rate.valid_from_ts > at_ts
        ]
        return min(begins, default=None)


def _valid_from(rate: Rate) -> int:
    return rate.valid_from_ts


def _in_force(found: Rate | list[Rate], at_ts: int) -> Rate | None:
    if isinstance(found, list):
        index = bisect_right(found, at_ts, key=_valid_from)
        if index == 0:
            return None
        found = found[index - 1]
    has_begun = found.valid_from_ts <= at_ts
    return found if has_begun and (found.valid_to_ts is None or at_ts < found.valid_to_ts) else None
