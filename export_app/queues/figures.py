"""The figures of a queue by sip.io's names and formulas, out of the sums that `/v1/stats` has."""

from tollbook.model.queue_sums import QueueSums


def sipio_figures(sums: QueueSums, *, sl_s: int) -> dict[str, object]:
    """Return the figures; averages and percentages are whole numbers.

    Whom the queue let go counts as abandoned, whoever answered then: for sip.io a call is answered by an agent or not
    at all. Without a call to divide by, a figure is 0, as sip.io has it; null where calls do not state what it takes.
    """
    abandoned = sums.offered - sums.served
    return {
        "offered": sums.offered,
        "answered": sums.served,
        "abandoned": abandoned,
        "overflowed": sums.overflowed,
        "abandonRatePct": _rounded(100 * abandoned, sums.offered),
        "asaMs": _known(sums.served_wait_ms, sums.served_waits, of=sums.served),
        "slSec": sl_s,
        "serviceLevelPct": _known(100 * sums.in_time, sums.waits, of=sums.offered),
        "ahtMs": _known(sums.talk_ms, sums.talks, of=sums.served),
    }


def _known(total: int, count: int, *, of: int) -> int | None:
    return None if of and not count else _rounded(total, count)


def _rounded(total: int, count: int) -> int:
    """Return a quotient of what is not negative, rounded half up, and 0 of nothing."""
    return (2 * total + count) // (2 * count) if count else 0
