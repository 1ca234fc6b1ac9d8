"""What a benchmark measured, and what it should reach."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

# Of a ratio.
TIMES: Final = "×"


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What a figure should reach (`lower`), or stay under."""

    limit: float
    lower: bool

    def holds(self, value: float) -> bool:
        """Tell whether a value is on the right side; the limit itself is."""
        return value >= self.limit if self.lower else value <= self.limit

    def __str__(self) -> str:
        return f"to {'reach' if self.lower else 'stay under'}: {self.limit:,g}"


def at_least(limit: float) -> Bound:
    """Return what a figure should reach."""
    return Bound(limit=limit, lower=True)


def at_most(limit: float) -> Bound:
    """Return what a figure should stay under."""
    return Bound(limit=limit, lower=False)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number with its unit (TIMES for a ratio), and what it should come to, if anything."""

    what: str
    value: float
    unit: str
    bound: Bound | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the bound holds; None without one."""
        return None if self.bound is None else self.bound.holds(self.value)

    @property
    def measured(self) -> str:
        """The number and its unit."""
        return f"{self.value:,.0f} {self.unit}" if self.value >= 100 else f"{self.value:.2f} {self.unit}"

    def __str__(self) -> str:
        bound = "" if self.bound is None else f" ({self.bound}{'' if self.reached else ', NOT REACHED'})"
        return f"{self.what}: {self.measured}{bound}"


def seconds(work: Callable[[], object]) -> float:
    """Return how long some work takes by the clock."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def medians(rounds: int, *works: Callable[[], object], timer: Callable[[], float] = time.perf_counter) -> list[float]:
    """Return the median of the seconds that each work takes, timed in turn, so that other load slows all alike.

    `timer`: what tells the seconds, if not the clock; processor time, for example.
    """
    for work in works:
        work()  # warms up
    taken: list[list[float]] = []
    for _ in range(rounds):
        taken.append([])
        for work in works:
            begun = timer()
            work()
            taken[-1].append(timer() - begun)
    return [statistics.median(times) for times in zip(*taken, strict=True)]
