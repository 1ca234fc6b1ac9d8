"""The closed lists: which way a call went, what became of it, what replaced its price. docs/calls.md has the rules."""

from typing import Final, Literal, TypeAlias, get_args

# Sums have a direction's and a disposition's place in these lists (store/sums): a new one goes to the end.
Direction: TypeAlias = Literal["inbound", "outbound", "internal"]
DIRECTIONS: Final[tuple[Direction, ...]] = get_args(Direction)

Disposition: TypeAlias = Literal[
    "answered", "busy", "no_answer", "rejected", "cancelled", "failed", "abandoned", "lost"
]
DISPOSITIONS: Final[tuple[Disposition, ...]] = get_args(Disposition)

#: Who ended the last conversation of a call; `switch`: its dialplan, the API, a timer.
HungUpBy: TypeAlias = Literal["caller", "callee", "switch"]
HUNG_UP_BY: Final[tuple[HungUpBy, ...]] = get_args(HungUpBy)

#: What replaced a price: a re-rate, a late event, a CDR file; `joined`: the row's legs belong to another call, and the
#: row is gone; `archive`: the archive had another price than the row that replaced its own; `other`: SQL by hand.
PriceCause: TypeAlias = Literal["rerate", "event", "cdr_file", "joined", "archive", "other"]
PRICE_CAUSES: Final[tuple[PriceCause, ...]] = get_args(PriceCause)
