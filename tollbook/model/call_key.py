"""The key of a call, in both tiers."""

import hashlib
from typing import NamedTuple


class CallKey(NamedTuple):
    """When a call started (epoch ms), its id, and the switch that it went through; keys sort as pages do.

    A switch can use an id again for a later call, and two switches can hand out one id in the same millisecond.
    """

    start_ts: int
    call_id: str
    switch: str

    def sha256(self) -> str:
        """Return the SHA-256, in hexadecimal, of `start_ts TAB call_id TAB switch`."""
        return hashlib.sha256("\t".join(map(str, self)).encode()).hexdigest()
