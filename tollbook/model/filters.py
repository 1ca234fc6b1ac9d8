"""The one list of filters, and what each requires of a call. Each tier translates the conditions into its own terms."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final, LiteralString, TypeAlias

import msgspec

from tollbook.model.vocabulary import Direction, Disposition


@dataclass(frozen=True, slots=True)
class Equals:
    """The column has this value."""

    column: LiteralString
    value: str


@dataclass(frozen=True, slots=True)
class AtLeast:
    """The column has this value or a greater one; null is neither."""

    column: LiteralString
    value: int


@dataclass(frozen=True, slots=True)
class BeginsWith:
    """At least one of the columns begins with this text, compared by code point."""

    columns: tuple[LiteralString, ...]
    prefix: str


Condition: TypeAlias = Equals | AtLeast | BeginsWith

MAX_BILLSEC: Final = 2**31 - 1
# PostgreSQL holds no text with a zero byte, and refuses to be asked for one.
_Text: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, pattern=r"^[^\x00]*\Z")]


class Filters(msgspec.Struct, frozen=True, kw_only=True, array_like=True, forbid_unknown_fields=True):
    """What a call must match; None matches all. Every filter that is set must match.

    An array to msgspec, so that a cursor holds the values without their names. The bounds are checked as one is read.
    """

    direction: Direction | None = None
    disposition: Disposition | None = None
    number: _Text | None = None
    queue_id: _Text | None = None
    agent_id: _Text | None = None
    min_billsec: Annotated[int, msgspec.Meta(ge=0, le=MAX_BILLSEC)] | None = None

    def conditions(self) -> Iterator[Condition]:
        """Yield what the filters that are set require of a call."""
        for name, condition in _CONDITIONS.items():
            if (value := getattr(self, name)) is not None:
                yield condition(value)


NO_FILTERS: Final = Filters()

_CONDITIONS: Final[Mapping[str, Callable[[Any], Condition]]] = {
    "direction": partial(Equals, "direction"),
    "disposition": partial(Equals, "disposition"),
    "number": partial(BeginsWith, ("from_num", "to_num")),
    "queue_id": partial(Equals, "queue_id"),
    "agent_id": partial(Equals, "agent_id"),
    "min_billsec": partial(AtLeast, "billsec"),
}


def prefix_end(prefix: str) -> str | None:
    """Return the first text, by code point, after all that begin with `prefix`; None when there is no such text.

    So a prefix is a range: [prefix, prefix_end(prefix)). UTF-8 bytes sort like code points.
    """
    for end in range(len(prefix), 0, -1):
        following = ord(prefix[end - 1]) + 1
        if following <= 0x10FFFF:
            # Surrogates are not characters, and no text in PostgreSQL holds one.
            return prefix[: end - 1] + chr(0xE000 if following == 0xD800 else following)
    return None
