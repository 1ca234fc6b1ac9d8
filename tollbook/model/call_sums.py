"""What calls add up to, and what they are grouped by: the same for both tiers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tollbook.model.queue_sums import NO_QUEUE_SUMS, QueueSums

# The values of a group in the order of the grouping: a column's value, or the number of a period.
GroupKey: TypeAlias = tuple[str | int | None, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Periods:
    """Group by periods of time: each start in epoch ms, ascending. A group's value is its period's index (from 0)."""

    starts: Sequence[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class CallSums:
    """The sums of some calls. `open` calls are still up: they count in `calls` and in nothing else.

    `cost`: for each currency, the cost of its calls in micros; None stands for prices from before currencies were kept.
    `wait_ms` and `ring_ms` are sums over `wait_calls` and `ring_calls`: those that have the detail. `queue`: where the
    question is about queues.
    """

    calls: int = 0
    open: int = 0
    answered: int = 0
    billsec: int = 0
    unrated: int = 0
    cost: tuple[tuple[str | None, int], ...] = ()
    wait_ms: int = 0
    wait_calls: int = 0
    ring_ms: int = 0
    ring_calls: int = 0
    queue: QueueSums = NO_QUEUE_SUMS

    def plus(self, more: "CallSums") -> "CallSums":
        """Add the sums of other calls. Currencies stay apart, in their order, None last."""
        cost = dict(self.cost)
        for currency, micros in more.cost:
            cost[currency] = cost.get(currency, 0) + micros
        return CallSums(
            calls=self.calls + more.calls,
            open=self.open + more.open,
            answered=self.answered + more.answered,
            billsec=self.billsec + more.billsec,
            unrated=self.unrated + more.unrated,
            cost=tuple(sorted(cost.items(), key=lambda item: (item[0] is None, item[0] or ""))),
            wait_ms=self.wait_ms + more.wait_ms,
            wait_calls=self.wait_calls + more.wait_calls,
            ring_ms=self.ring_ms + more.ring_ms,
            ring_calls=self.ring_calls + more.ring_calls,
            queue=self.queue.plus(more.queue),
        )


def cost_of(currency: str | None, micros: int | None) -> tuple[tuple[str | None, int], ...]:
    """Return the cost of calls of one currency. A cost of 0 without a currency is left out: nobody answered them."""
    return () if micros is None or (currency is None and micros == 0) else ((currency, micros),)
