"""Query parameters: each with its rule, its documentation and its message in one place, without Flask.

The models are what the OpenAPI document shows and what a request is checked against. `check_names` sees what a
model cannot: a parameter given twice, and a key where it must not be.
"""

import difflib
import functools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from export_app.web.errors import ApiError

MAX_LIMIT: Final = 10_000
LAST_MS: Final = 253_402_300_799_999  # the end of the year 9999: beyond it somebody sent microseconds

_WHOLE_NUMBER = re.compile(r"[0-9]+")
_KEY_NAMES = frozenset({"xapikey", "apikey", "key", "token", "accesstoken"})


def whole_number(what: str) -> Callable[[object], object]:
    """Take digits only: Python and pydantic would also take 1_000, +5, 12.0 and other scripts' digits."""

    def check(value: object) -> object:
        # Longer than any number here can be, and than Python is willing to read.
        if isinstance(value, str) and not (_WHOLE_NUMBER.fullmatch(value) and len(value) <= 1000):
            raise PydanticCustomError("not_whole", "must be {what}", {"what": what})
        return value

    return check


def _up_to_max(limit: int) -> int:
    return min(limit, MAX_LIMIT)


EpochMs = Annotated[
    int,
    Field(ge=0, le=LAST_MS, json_schema_extra={"example": 1767225600000}),
    BeforeValidator(whole_number("a time in whole milliseconds since 1970, such as 1767225600000")),
]
Limit = Annotated[
    int,
    Field(ge=1),
    AfterValidator(_up_to_max),
    BeforeValidator(whole_number(f"a whole number from 1 to {MAX_LIMIT}")),
]
Text = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]


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
                raise PydanticCustomError(
                    "unknown_parameter",
                    "{name} is not a parameter here: {hint}",
                    {"name": shown(name), "hint": names_hint(name, known)},
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


def shown(name: str) -> str:
    """Quote a name as somebody sent it, cut to what fits a message."""
    return repr(name[:40])


def names_hint(name: str, known: Sequence[str]) -> str:
    """Return the known name that was probably meant, or all of them."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(known) or 'none'}"


def check_names(pairs: Iterable[tuple[str, str]]) -> None:
    """Refuse an API key in the query, and a parameter given twice; raises ApiError."""
    seen: set[str] = set()
    for name, value in pairs:
        if re.sub("[^a-z]", "", name.lower()) in _KEY_NAMES or value.startswith("sk_"):
            raise ApiError(
                400,
                "key_in_query",
                "send the key in the header x-api-key, never in the URL, which is written to logs on its way:"
                " if it was a real key, revoke it now with `tollbook key revoke`",
            )
        if name in seen:
            raise ApiError(400, "repeated_parameter", f"{shown(name)} is given more than once: give it once")
        seen.add(name)


def parameter_error(error: ValidationError) -> ApiError:
    """Say what is wrong with the first wrong parameter, and what it may be."""
    one = error.errors(include_url=False, include_input=False)[0]
    if one["type"] == "unknown_parameter":
        return ApiError(400, one["type"], one["msg"])
    name = one["loc"][0] if one["loc"] else ""  # none: what is wrong lies between two parameters
    said = _MESSAGES.get(one["type"], "{msg}").format(**one)
    if one["type"] == "less_than_equal" and one.get("ctx", {}).get("le") == LAST_MS:
        said += ": it is in milliseconds, not microseconds"
    return ApiError(400, "bad_parameter", f"{name} {said}".strip())


# Where pydantic's words would puzzle somebody who sees only a URL.
_MESSAGES: Final = {
    "literal_error": "must be {ctx[expected]}",
    "greater_than_equal": "must be at least {ctx[ge]}",
    "less_than_equal": "must be at most {ctx[le]}",
    "string_too_short": "must not be empty: leave it out to see all calls",
    "string_too_long": "must have at most {ctx[max_length]} characters",
    "string_pattern_mismatch": "must not hold a zero byte",
}
