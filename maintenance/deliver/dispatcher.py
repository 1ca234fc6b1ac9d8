"""What is being delivered, and how much more may be: each endpoint and each account has a share of what is free."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from tollbook.store.events.queue import Delivery, DeliveryKey, Endpoint

#: Deliveries at once to an endpoint. A receiver that takes 100 ms gets 80 a second.
AT_ONCE: Final = 8
#: NATS acknowledges in a millisecond, and many at once. It is the operator's: this is beside what accounts have.
AT_ONCE_TO_NATS: Final = 64
#: Deliveries at once to all endpoints: each is a connection. Failing ones have one each at most.
AT_ONCE_IN_ALL: Final = 1_024
#: An account has at most this part of what is free, and one delivery in any case while anything is: beside a hundred
#: accounts whose receivers hang there is room for others at once, and beside more whoever has least is the next.
SHARE: Final = 16
#: Endpoints that one process looks after.
MAX_ENDPOINTS: Final = 10_000

#: Who shares with whom: the endpoints of an account, those of operators, and NATS by itself.
_Sharer: TypeAlias = tuple[str, str | None]


@dataclass(kw_only=True)
class Dispatcher:
    """The endpoints whose turn is ours, and what is under way to each. Not for several threads."""

    endpoints: dict[int, Endpoint] = field(default_factory=dict[int, Endpoint])
    busy: dict[DeliveryKey, Endpoint] = field(default_factory=dict[DeliveryKey, Endpoint])
    _under_way: Counter[int] = field(default_factory=Counter[int])
    _of_sharer: Counter[_Sharer] = field(default_factory=Counter[_Sharer])

    def replace(self, endpoints: Collection[Endpoint]) -> None:
        """Take what the database says of the endpoints now."""
        self.endpoints = {endpoint.webhook_id: endpoint for endpoint in endpoints}

    def rooms(self) -> dict[int, int]:
        """Return how many more deliveries each endpoint may get now, those that take them and have least first.

        A failing one is tried with one at a time, and not at all while it is paused. Nothing is set aside: most have
        nothing to be told, and what is read for all together is bounded by `free`.
        """
        ordered = sorted(
            self.endpoints.values(),
            key=lambda endpoint: (
                endpoint.failures > 0, self._of_sharer[_sharer(endpoint)], self._under_way[endpoint.webhook_id]
            ),
        )  # fmt: skip
        return {endpoint.webhook_id: room for endpoint in ordered if (room := self._room(endpoint)) > 0}

    @property
    def free(self) -> int:
        """Return how many more deliveries may begin now."""
        return AT_ONCE_IN_ALL + AT_ONCE_TO_NATS - len(self.busy)

    def begin(self, delivery: Delivery) -> Endpoint | None:
        """Note that a delivery is under way; return its endpoint, None if that is not ours any more or has no room."""
        endpoint = self.endpoints.get(delivery.webhook_id)
        if endpoint is None or delivery.key in self.busy or self._room(endpoint) <= 0:
            return None
        self.busy[delivery.key] = endpoint
        self._under_way[endpoint.webhook_id] += 1
        self._of_sharer[_sharer(endpoint)] += 1
        return endpoint

    def end(self, keys: Collection[DeliveryKey]) -> None:
        """Note that deliveries are settled: until then they are not read again."""
        for key in keys:
            endpoint = self.busy.pop(key, None)
            if endpoint is not None:
                _take_one(self._under_way, endpoint.webhook_id)
                _take_one(self._of_sharer, _sharer(endpoint))

    def turns_in_use(self, of: int) -> frozenset[int]:
        """Return the turns of the endpoints to which something is under way."""
        return frozenset(webhook_id % of for webhook_id, _ in list(self.busy))  # settled in another thread meanwhile

    def failing(self) -> list[int]:
        """Return the endpoints to which deliveries have failed lately, and that are tried again now."""
        return [one.webhook_id for one in self.endpoints.values() if one.failures and one.paused_s <= 0]

    def _room(self, endpoint: Endpoint) -> int:
        if endpoint.paused_s > 0:
            return 0
        under_way, of_sharer = self._under_way[endpoint.webhook_id], self._of_sharer[_sharer(endpoint)]
        if endpoint.kind == "nats":
            return (1 if endpoint.failures else AT_ONCE_TO_NATS) - under_way
        free = AT_ONCE_IN_ALL - (len(self.busy) - self._of_sharer[_NATS])
        share = min(max(free // SHARE, 1), free) - of_sharer
        return min((1 if endpoint.failures else AT_ONCE) - under_way, share)


_NATS: Final[_Sharer] = ("nats", None)


def _sharer(endpoint: Endpoint) -> _Sharer:
    return endpoint.kind, endpoint.account_id


def _take_one(counts: Counter[Any], key: object) -> None:
    """Leave no zero: keys come and go."""
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
