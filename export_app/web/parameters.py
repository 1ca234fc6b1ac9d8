"""Query parameters: each with its rule, its documentation and its message in one place, without Flask.

The models are what the OpenAPI document shows and what a request is checked against. `check_names` sees what a
model cannot: a parameter given twice, and a key where it must not be.
"""

import difflib
import functools
import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from export_app.web.errors import Refusal
from tollbook.model.record import COLUMNS
from tollbook.model.selection import Filters, Order

DEFAULT_LIMIT: Final = 1000
MAX_LIMIT: Final = 10_000
LAST_MS: Final = 253_402_300_799_999  # the end of the year 9999: beyond it somebody sent microseconds

MAX_BILLSEC: Final = 2**31 - 1

# What a page may show beyond the 16 columns of the public record, when it is asked for by name.
EXTRA_COLUMNS: Final = ("currency", "switch", "revision", "estimated", "updated_ts", "parts")
_FIELD: Final = "|".join((*COLUMNS, *EXTRA_COLUMNS))

_WHOLE_NUMBER = re.compile(r"[0-9]+")
_KEY_NAMES = frozenset({"xapikey", "apikey", "key", "token", "accesstoken"})


def _whole_number(what: str) -> Callable[[object], object]:
    """Take digits only: Python and pydantic would also take 1_000, +5, 12.0 and other scripts' digits."""

    def check(value: object) -> object:
        # Longer than any number here can be, and than Python is willing to read.
        if isinstance(value, str) and not (_WHOLE_NUMBER.fullmatch(value) and len(value) <= 1000):
            raise PydanticCustomError("not_whole", "must be {what}", {"what": what})
        return value

    return check


def _up_to_max(limit: int) -> int:
    return min(limit, MAX_LIMIT)


def _known_fields(text: str) -> str:
    for name in text.split(","):
        if name not in COLUMNS and name not in EXTRA_COLUMNS:
            near = difflib.get_close_matches(name, (*COLUMNS, *EXTRA_COLUMNS), n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join((*COLUMNS, *EXTRA_COLUMNS))}"
            raise PydanticCustomError(
                "unknown_field", "has no column {name}: {hint}", {"name": shown(name), "hint": hint}
            )
    return text


def _written_out(value: object) -> object:
    if isinstance(value, str) and value.startswith(" "):
        raise PydanticCustomError("plus", "must not begin with a space: in a URL a + is written %2B")
    return value


EpochMs = Annotated[
    int,
    Field(ge=0, le=LAST_MS, json_schema_extra={"example": 1767225600000}),
    BeforeValidator(_whole_number("a time in whole milliseconds since 1970, such as 1767225600000")),
]
Limit = Annotated[
    int,
    Field(ge=1),
    AfterValidator(_up_to_max),
    BeforeValidator(_whole_number(f"a whole number from 1 to {MAX_LIMIT}")),
]
# What `tollbook.model.fold.disposition_of` says, and `lost`.
Disposition: TypeAlias = Literal[
    "answered", "busy", "no_answer", "rejected", "cancelled", "failed", "abandoned", "lost"
]
BillSeconds = Annotated[
    int,
    Field(ge=0, le=MAX_BILLSEC),
    BeforeValidator(_whole_number(f"a number of seconds from 0 to {MAX_BILLSEC}")),
]
Text = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
Number = Annotated[
    str, Field(min_length=1, max_length=64, pattern=r"^[^\x00 ][^\x00]*$"), BeforeValidator(_written_out)
]
Fields = Annotated[
    str,
    Field(json_schema_extra={"pattern": f"^({_FIELD})(,({_FIELD}))*$", "example": "call_id,start_ts,cost_micros"}),
    AfterValidator(_known_fields),
]


def without_default(schema: dict[str, Any]) -> None:
    """Document what is left out or there, and never null."""
    schema.pop("default", None)


class Query(BaseModel):
    """The query parameters of a resource: those it names, and no other."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known(cls, values: dict[str, str]) -> dict[str, str]:
        known = list(cls.model_fields)
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known) or 'none'}"
                raise PydanticCustomError(
                    "unknown_parameter", "{name} is not a parameter here: {hint}", {"name": shown(name), "hint": hint}
                )
        return values

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Make the plain schema once: flask-openapi3 asks for it with every request, and it takes 0.7 ms."""
        return super().model_json_schema(*args, **kwargs) if args or kwargs else _plain_schema(cls)


@functools.cache
def _plain_schema(model: type[Query]) -> dict[str, Any]:
    return super(Query, model).model_json_schema()


class NoQuery(Query):
    """A resource that takes no parameters."""


class CallsQuery(Query):
    """What `GET /v1/calls` can be asked for."""

    since: EpochMs = Field(default=0, description="Calls that started at or after this time; left out: all.")
    until: EpochMs | SkipJsonSchema[None] = Field(
        default=None,
        description="Calls that started before this time; left out: now.",
        json_schema_extra=without_default,
    )
    updated_since: EpochMs | SkipJsonSchema[None] = Field(
        default=None,
        description="Instead of since and until: calls whose row was written at or after this time, in the order of"
        " change, also those of the half hour before. The last page has a `sync_cursor`, from which the next sync"
        " goes on.",
        json_schema_extra=without_default,
    )
    order: Order = Field(default="desc", description="desc: newest first; asc: oldest first.")
    limit: Limit = Field(
        default=DEFAULT_LIMIT, description=f"Rows in a page at most; more than {MAX_LIMIT} counts as {MAX_LIMIT}."
    )
    cursor: str | SkipJsonSchema[None] = Field(
        default=None,
        description="The `next_cursor` of the page before, or the `sync_cursor` of the sync before. It holds the"
        " window, the order and the filters, which may then be left out.",
        json_schema_extra=without_default,
    )
    direction: Literal["inbound", "outbound", "internal"] | SkipJsonSchema[None] = Field(
        default=None, description="Calls of this direction.", json_schema_extra=without_default
    )
    disposition: Disposition | SkipJsonSchema[None] = Field(
        default=None, description="Calls that ended so.", json_schema_extra=without_default
    )
    number: Number | SkipJsonSchema[None] = Field(
        default=None,
        description="Calls from or to a number that begins so, written as in the rows; a + is %2B in a URL.",
        json_schema_extra=without_default,
    )
    queue_id: Text | SkipJsonSchema[None] = Field(
        default=None, description="Calls of this queue.", json_schema_extra=without_default
    )
    agent_id: Text | SkipJsonSchema[None] = Field(
        default=None, description="Calls of this agent.", json_schema_extra=without_default
    )
    min_billsec: BillSeconds | SkipJsonSchema[None] = Field(
        default=None,
        description="Calls that were talked on for so many seconds or more.",
        json_schema_extra=without_default,
    )
    fields: Fields | SkipJsonSchema[None] = Field(
        default=None,
        description="The columns wanted, in this order, separated by commas; left out: the 16 of the record."
        f" Beyond those there are {', '.join(EXTRA_COLUMNS)}.",
        json_schema_extra=without_default,
    )
    format: Literal["json", "csv"] = Field(default="json", description="What the answer is written in.")
    raw: Literal["0", "1"] = Field(
        default="0",
        description="1: leave CSV fields as they are that a spreadsheet would take for formulas.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> "CallsQuery":
        if self.until is not None and self.since > self.until:
            raise PydanticCustomError("order", "since must not be later than until: swap them")
        if self.updated_since is not None:
            for name in ("since", "until", "order"):
                if name in self.model_fields_set:
                    raise PydanticCustomError(
                        "window", "updated_since comes in the order of change: leave {name} out", {"name": name}
                    )
        return self

    @property
    def filters(self) -> Filters:
        """What a call must match."""
        return Filters(
            direction=self.direction,
            disposition=self.disposition,
            number=self.number,
            queue_id=self.queue_id,
            agent_id=self.agent_id,
            min_billsec=self.min_billsec,
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns wanted, each once."""
        return COLUMNS if self.fields is None else tuple(dict.fromkeys(self.fields.split(",")))


class DetailQuery(Query):
    """What `GET /v1/calls/{id}` can be asked for."""

    start_ts: EpochMs | SkipJsonSchema[None] = Field(
        default=None,
        description="The call of this id that started at this time: a switch can use an id again.",
        json_schema_extra=without_default,
    )


def shown(name: str) -> str:
    """Quote a name as somebody sent it, cut to what fits a message."""
    return repr(name[:40])


def check_names(pairs: Iterable[tuple[str, str]]) -> None:
    """Refuse an API key in the query, and a parameter given twice; raises Refusal."""
    seen: set[str] = set()
    for name, value in pairs:
        if re.sub("[^a-z]", "", name.lower()) in _KEY_NAMES or value.startswith("sk_"):
            raise Refusal(
                400,
                "key_in_query",
                "send the key in the header x-api-key, never in the URL, which is written to logs on its way:"
                " if it was a real key, revoke it now with `tollbook key revoke`",
            )
        if name in seen:
            raise Refusal(400, "repeated_parameter", f"{shown(name)} is given more than once: give it once")
        seen.add(name)


def refusal(error: ValidationError) -> Refusal:
    """Say what is wrong with the first wrong parameter, and what it may be."""
    one = error.errors(include_url=False, include_input=False)[0]
    if one["type"] == "unknown_parameter":
        return Refusal(400, one["type"], one["msg"])
    name = one["loc"][0] if one["loc"] else ""  # none: what is wrong lies between two parameters
    said = _MESSAGES.get(one["type"], "{msg}").format(**one)
    if one["type"] == "less_than_equal" and one.get("ctx", {}).get("le") == LAST_MS:
        said += ": it is in milliseconds, not microseconds"
    return Refusal(400, "bad_parameter", f"{name} {said}".strip())


# Where pydantic's words would puzzle somebody who sees only a URL.
_MESSAGES: Final = {
    "literal_error": "must be {ctx[expected]}",
    "greater_than_equal": "must be at least {ctx[ge]}",
    "less_than_equal": "must be at most {ctx[le]}",
    "string_too_short": "must not be empty: leave it out to see all calls",
    "string_too_long": "must have at most {ctx[max_length]} characters",
    "string_pattern_mismatch": "must not hold a zero byte",
}
