"""The one list of filters, and what each requires of a call. Each tier translates the conditions into its own terms."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final, LiteralString, TypeAlias

import msgspec

from tollbook.model.accounts import Accounts, OneAccount
from tollbook.model.vocabulary import Direction, Disposition, HungUpBy


@dataclass(frozen=True, slots=True)
class Equals:
    """The column has this value."""

    column: LiteralString
    value: str | int | bool


@dataclass(frozen=True, slots=True)
class HasVariable:
    """The call has this variable with this value, among its `vars`."""

    name: str
    value: str

    @classmethod
    def from_filter(cls, text: str) -> "HasVariable":
        """Return what `NAME:VALUE` requires; a name has no colon."""
        name, _, value = text.partition(":")
        return cls(name, value)


@dataclass(frozen=True, slots=True)
class AtLeast:
    """The column has this value or a greater one; null is neither."""

    column: LiteralString
    value: int


@dataclass(frozen=True, slots=True)
class IsNull:
    """The column is null, or (`wanted` False) is not."""

    column: LiteralString
    wanted: bool


@dataclass(frozen=True, slots=True)
class HasNumber:
    """At least one of the columns begins with this text, compared by code point, or is one of the `spellings`."""

    columns: tuple[LiteralString, ...]
    prefix: str
    spellings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IsNotTrue:
    """The column is false or null."""

    column: LiteralString


Condition: TypeAlias = Equals | AtLeast | HasNumber | HasVariable | IsNotTrue | IsNull

MAX_BILLSEC: Final = 2**31 - 1
#: A variable's name and a value, of up to LONGEST_TEXT characters each.
VARIABLE_FILTER: Final = r"^[A-Za-z0-9_.-]{1,256}:[^\x00]{1,256}"
# PostgreSQL holds no text with a zero byte, and refuses to be asked for one.
_Text: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, pattern=r"^[^\x00]*\Z")]
_Variable: TypeAlias = Annotated[str, msgspec.Meta(pattern=rf"{VARIABLE_FILTER}\Z")]


class Filters(msgspec.Struct, frozen=True, kw_only=True, array_like=True, forbid_unknown_fields=True):
    """What a call must match; None matches all. Every filter that is set must match.

    An array to msgspec, so that a cursor holds the values without their names: a new filter goes to the end, and the
    cursors from before stay valid. The bounds are checked as one is read.
    """

    direction: Direction | None = None
    disposition: Disposition | None = None
    number: _Text | None = None
    queue_id: _Text | None = None
    agent_id: _Text | None = None
    min_billsec: Annotated[int, msgspec.Meta(ge=0, le=MAX_BILLSEC)] | None = None
    hung_up_by: HungUpBy | None = None
    codec: _Text | None = None
    sip_call_id: _Text | None = None
    gateway: _Text | None = None
    sip_status: Annotated[int, msgspec.Meta(ge=100, le=699)] | None = None
    destination: _Text | None = None
    voicemail: bool | None = None
    var: _Variable | None = None
    hangup_cause: _Text | None = None
    from_num: _Text | None = None
    to_num: _Text | None = None
    open: bool | None = None
    #: The account that an operator's key named: it binds a cursor, and is no condition: it is read as `Accounts`.
    account: _Text | None = None
    #: The other spellings of the numbers above, by number. No cursor holds them: there can be hundreds.
    spellings: dict[str, tuple[str, ...]] | None = None

    def with_spellings(self, spell: Callable[[str], Collection[str]]) -> "Filters":
        """Return the filters with the other spellings of each number, which `spell` returns."""
        numbers = [number for name in _NUMBERS if (number := getattr(self, name)) is not None]
        if not numbers:
            return self
        spellings = {number: tuple(sorted(set(spell(number)) - {number})) for number in numbers}
        return msgspec.structs.replace(self, spellings=spellings)

    def without_spellings(self) -> "Filters":
        """Return the filters as a request gives them, and as a cursor holds them."""
        return msgspec.structs.replace(self, spellings=None)

    def names(self) -> Iterator[str]:
        """Yield the names of the filters that are set."""
        return (name for name in (*_CONDITIONS, *_NUMBERS) if getattr(self, name) is not None)

    def conditions(self) -> Iterator[Condition]:
        """Yield what the filters that are set require of a call."""
        for name in self.names():
            value = getattr(self, name)
            if name in _NUMBERS:
                yield HasNumber(_NUMBERS[name], value, (self.spellings or {}).get(value, ()))
            else:
                yield _CONDITIONS[name](value)


NO_FILTERS: Final = Filters()


def conditions_of(accounts: Accounts, filters: Filters) -> Iterator[Condition]:
    """Yield what is required of a call beside its account: by the filters, and by what their reader must not learn."""
    yield from filters.conditions()
    if isinstance(accounts, OneAccount) and accounts.hides_carriers and filters.sip_call_id is not None:
        yield IsNotTrue("trunk_root")


_CONDITIONS: Final[Mapping[str, Callable[[Any], Condition]]] = {
    "direction": partial(Equals, "direction"),
    "disposition": partial(Equals, "disposition"),
    "queue_id": partial(Equals, "queue_id"),
    "agent_id": partial(Equals, "agent_id"),
    "min_billsec": partial(AtLeast, "billsec"),
    "hung_up_by": partial(Equals, "hung_up_by"),
    "codec": partial(Equals, "codec"),
    "sip_call_id": partial(Equals, "sip_call_id"),
    "gateway": partial(Equals, "gateway"),
    "sip_status": partial(Equals, "sip_status"),
    "destination": partial(Equals, "destination"),
    "voicemail": partial(Equals, "voicemail"),
    "var": HasVariable.from_filter,
    "hangup_cause": partial(Equals, "hangup_cause"),
    "open": partial(IsNull, "end_ts"),
}
# The columns in which each filter by a number looks.
_NUMBERS: Final[Mapping[str, tuple[LiteralString, ...]]] = {
    "number": ("from_num", "to_num"),
    "from_num": ("from_num",),
    "to_num": ("to_num",),
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
