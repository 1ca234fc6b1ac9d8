"""The public record: 16 columns, one row per call."""

from typing import Final, LiteralString, TypeAlias

import msgspec

from tollbook.model.call_key import CallKey
from tollbook.model.charge import Charge
from tollbook.model.details import CARRIER_COLUMNS, DETAIL_COLUMNS, NO_DETAILS, Details
from tollbook.model.doubts import Doubt
from tollbook.model.trunk_leg import TrunkLeg
from tollbook.model.vocabulary import Direction, Disposition

COLUMNS: Final[tuple[LiteralString, ...]] = (
    "call_id",
    "account_id",
    "direction",
    "from_num",
    "to_num",
    "start_ts",
    "answer_ts",
    "end_ts",
    "duration_sec",
    "billsec",
    "answered",
    "disposition",
    "hangup_cause",
    "queue_id",
    "agent_id",
    "cost_micros",
)
# What can be shown of a call beyond those, when it is asked for by name.
EXTRA_COLUMNS: Final[tuple[LiteralString, ...]] = (
    "currency",
    "switch",
    "revision",
    "estimated",
    "updated_ts",
    "parts",
    *DETAIL_COLUMNS,
)
# Those that hold JSON, which is read as text.
JSON_COLUMNS: Final[tuple[LiteralString, ...]] = ("parts", "recordings", "vars")

# The columns of a call that leaves alone, in a file: without a page around it that names the currency of its amounts.
QUERIED_COLUMNS: Final[tuple[LiteralString, ...]] = (*COLUMNS, "currency", *DETAIL_COLUMNS)
# The same as an account gets them.
EXPORTED_COLUMNS: Final = tuple(name for name in QUERIED_COLUMNS if name not in CARRIER_COLUMNS)

# The values of a call's columns, in the order in which they were asked for: times in epoch ms, JSON as text.
Record: TypeAlias = tuple[object, ...]


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A call as its legs give it, unpriced. Times are epoch ms; what only the end decides is None while it is up.

    `trunk_root`: the root leg came from outside, or was made to there, so that its address and Call-ID are a carrier's.
    `trunk_legs`: the figures of each trunk leg of a finished call, in the order in which they were made.
    `billed_elsewhere`: it was imported, and the system that it comes from has billed it: it gets no price.
    """

    switch: str
    call_id: str
    account_id: str | None
    direction: Direction
    from_num: str
    to_num: str
    start_ts: int
    answer_ts: int | None
    end_ts: int | None
    duration_sec: int | None
    billsec: int | None
    answered: int
    disposition: Disposition | None
    hangup_cause: str | None
    queue_id: str | None
    agent_id: str | None
    estimated: bool
    parts: tuple[Charge, ...] | None
    doubts: tuple[Doubt, ...] = ()
    details: Details = NO_DETAILS
    trunk_root: bool = False
    trunk_legs: tuple[TrunkLeg, ...] = ()
    billed_elsewhere: bool = False

    @property
    def key(self) -> CallKey:
        """The key of the row in both tiers."""
        return CallKey(self.start_ts, self.call_id, self.switch)
