"""The key of a call, in both tiers."""

from typing import NamedTuple


class CallKey(NamedTuple):
    """When a call started (epoch ms), its id, and the switch that it went through; keys sort as pages do.

    A switch can use an id again for a later call, and two switches can hand out one id in the same millisecond.
    """

    start_ts: int
    call_id: str
    switch: str
