"""The closed lists of the record: which way a call went, and what became of it. docs/calls.md has the rules."""

from typing import Final, Literal, TypeAlias, get_args

Direction: TypeAlias = Literal["inbound", "outbound", "internal"]
DIRECTIONS: Final[tuple[Direction, ...]] = get_args(Direction)

Disposition: TypeAlias = Literal[
    "answered", "busy", "no_answer", "rejected", "cancelled", "failed", "abandoned", "lost"
]
DISPOSITIONS: Final[tuple[Disposition, ...]] = get_args(Disposition)
