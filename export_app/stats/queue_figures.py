"""The figures of queues and agents, by the formulas of docs/api.md."""

from tollbook.model.queue_sums import QueueSums


def queue_figures(sums: QueueSums) -> dict[str, object]:
    """Return the figures by their names in the API; an average or a rate of no calls is None."""
    return {
        "offered": sums.offered,
        "answered": sums.served,
        "overflowed": sums.overflowed,
        "abandoned": sums.abandoned,
        "abandon_rate": _share(sums.abandoned, sums.offered),
        "asa_ms": _average(sums.served_wait_ms, sums.served_waits),
        "longest_wait_ms": sums.longest_wait_ms if sums.waits else None,
        "service_level": _share(sums.in_time, sums.waits),
        "talk_ms": sums.talk_ms,
        "talk_calls": sums.talks,
        "aht_ms": _average(sums.talk_ms, sums.talks),
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def _average(total: int, count: int) -> float | None:
    return round(total / count, 3) if count else None
