"""What came of sending an event, and what follows for the delivery and its endpoint. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from maintenance.deliver.retry import GIVE_UP_S, delivery_wait_s, endpoint_pause_s
from tollbook.store.events.queue import Delivery, DeliveryKey, EndpointState, Failure

#: What is kept of an error.
MAX_ERROR: Final = 300
# That an endpoint fails is written, and read, a moment after and before that its first delivery did.
_NEARLY_S: Final = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A delivery and why it failed; '' if it did not. `gone`: the receiver says that it wants no more, ever (410)."""

    delivery: Delivery
    error: str = ""
    gone: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Settlement:
    """What is to be written."""

    delivered: Sequence[DeliveryKey] = ()
    failed: Sequence[Failure] = ()
    states: Sequence[EndpointState] = ()


def settlement(outcomes: Collection[Outcome], failures: dict[int, int], failing_for_s: dict[int, float]) -> Settlement:
    """Return what follows from outcomes, in the order in which they came.

    `failures`: in a row, and `failing_for_s`: since the first of them, by endpoint, before these outcomes.
    """
    delivered = [outcome.delivery.key for outcome in outcomes if not outcome.error]
    failed = [
        Failure(
            key=outcome.delivery.key,
            error=_kept(outcome.error),
            again_s=delivery_wait_s(outcome.delivery.attempts + 1, outcome.delivery.failed_for_s),
        )
        for outcome in outcomes
        if outcome.error
    ]
    given_up = {failure.key for failure in failed if failure.again_s is None}
    by_endpoint: dict[int, list[Outcome]] = {}
    for outcome in outcomes:
        by_endpoint.setdefault(outcome.delivery.webhook_id, []).append(outcome)
    states = [
        _state(webhook_id, of_endpoint, given_up, failures.get(webhook_id, 0), failing_for_s.get(webhook_id, 0.0))
        for webhook_id, of_endpoint in by_endpoint.items()
    ]
    return Settlement(delivered=delivered, failed=failed, states=states)


def _kept(error: str) -> str:
    """Return an error as a text that PostgreSQL takes: a NUL would fail whatever is written with it, each time."""
    return "".join(char if char.isprintable() else " " for char in error[:MAX_ERROR])


def _state(
    webhook_id: int,
    outcomes: Sequence[Outcome],
    given_up: Collection[DeliveryKey],
    failures: int,
    failing_for_s: float,
) -> EndpointState:
    errors = [_kept(outcome.error) for outcome in outcomes if outcome.error]
    error, delivered = errors[-1] if errors else "", len(outcomes) - len(errors)
    dead = sum(1 for outcome in outcomes if outcome.delivery.key in given_up)
    # Eight that were under way when a receiver was restarted are one failure: it was down for a moment. But one that
    # takes every ninth, and is sent nine at once, fails all the same.
    failures = failures + 1 if len(errors) > delivered else 0
    off = ""
    # With a delivery that is given up: how long ago the first failure was says nothing by itself. Since then there may
    # have been nothing to deliver, and this failure is the first for days.
    if any(outcome.gone for outcome in outcomes):
        off = "the receiver answered 410 Gone"
    elif dead and not delivered and failing_for_s >= GIVE_UP_S - _NEARLY_S:
        off = f"nothing was delivered for three days, the last time: {error}"
    return EndpointState(
        webhook_id=webhook_id, delivered=delivered, failed=len(errors), dead=dead, failures=failures,
        pause_s=endpoint_pause_s(failures), error=error, off=off,
    )  # fmt: skip
