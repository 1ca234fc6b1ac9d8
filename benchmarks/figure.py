"""What a benchmark measured."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

# Of a ratio.
TIMES: Final = "×"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number with its unit (TIMES for a ratio); `bound` is what it should reach or stay under, if anything."""

    what: str
    value: float
    unit: str
    bound: str = ""

    def __str__(self) -> str:
        number = f"{self.value:,.0f}" if self.value >= 100 else f"{self.value:.2f}"
        return f"{self.what}: {number} {self.unit}" + (f" ({self.bound})" if self.bound else "")


def seconds(work: Callable[[], object]) -> float:
    """Return how long some work takes by the clock."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def medians(rounds: int, *works: Callable[[], object]) -> list[float]:
    """Return the median of the seconds that each work takes, timed in turn, so that other load slows all alike."""
    for work in works:
        work()  # warms up
    taken = [[seconds(work) for work in works] for _ in range(rounds)]
    return [statistics.median(times) for times in zip(*taken, strict=True)]
