"""Query parameters: types, with their messages, that the queries of several resources share. Without Flask.

A query's model is both what the OpenAPI document shows and what a request is validated against. `check_names` finds
what a model cannot: a parameter given twice, and an API key where it must not be.
"""

import difflib
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
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from export_app.web.errors import ApiError
from export_app.web.moment import TIME_SCHEMA, epoch_ms
from tollbook.setting_values import check_zone, known_zones
from tollbook.store.keys import key_hash
from tollbook.times import LAST_MS

MAX_LIMIT: Final = 10_000

_WHOLE_NUMBER = re.compile(r"[0-9]+")
_KEY_NAMES = frozenset({"xapikey", "apikey", "key", "token", "accesstoken"})


def whole_number(what: str) -> Callable[[object], object]:
    """Return a validator for ASCII digits: pydantic also accepts 1_000, +5, 12.0 and digits of other scripts."""

    def check(value: object) -> object:
        # 1000 digits are more than any value here has, and fewer than Python refuses to parse.
        if isinstance(value, str) and not (_WHOLE_NUMBER.fullmatch(value) and len(value) <= 1000):
            raise PydanticCustomError("not_whole", "must be {what}", {"what": what})
        return value

    return check


def _up_to_max(limit: int) -> int:
    return min(limit, MAX_LIMIT)


def _zone(value: str) -> str:
    try:
        return check_zone(value)
    except ValueError as error:
        near = difflib.get_close_matches(value, known_zones(), n=1)
        hint = f": did you mean {near[0]}?" if near else ""
        raise PydanticCustomError(
            "zone", "must be a name of the IANA time zone database, such as Europe/Berlin{hint}", {"hint": hint}
        ) from error


EpochMs = Annotated[int, Field(ge=0, le=LAST_MS), BeforeValidator(epoch_ms), WithJsonSchema(TIME_SCHEMA)]
Limit = Annotated[
    int,
    Field(ge=1),
    AfterValidator(_up_to_max),
    BeforeValidator(whole_number(f"a whole number from 1 to {MAX_LIMIT}")),
]
ZoneName = Annotated[str, AfterValidator(_zone)]
Text = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]


class Query(BaseModel):
    """The query parameters of a resource. Any other parameter is an error.

    The document has no default of any parameter, only words that say what leaving it out means. A generated client
    sends a default that the document names with every request, also beside a cursor that was made with another value,
    or beside `updated_since`, which takes no `since`.
    """

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
                    {"name": quoted(name), "hint": names_hint(name, known)},
                )
        return values

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Build the schema for the document, in which no parameter states a default of null."""
        schema = super().model_json_schema(*args, **kwargs)
        for parameter in schema.get("properties", {}).values():
            parameter.pop("default", None)
        return schema


class NoQuery(Query):
    """The query of a resource without parameters."""


class OfAccount(Query):
    """The query of a resource that operators read account by account."""

    account: Text | SkipJsonSchema[None] = Field(
        default=None,
        description="Whose; for an operator's key alone, because the key of an account reads its own.",
    )


def quoted(name: str) -> str:
    """Return a name from a request in quotes, cut to 40 characters for a message."""
    return repr(name[:40])


def names_hint(name: str, known: Sequence[str]) -> str:
    """Return a hint at the known name that was probably meant, or at all known names."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(known) or 'none'}"


def check_names(pairs: Iterable[tuple[str, str]]) -> None:
    """Raise ApiError for an API key in the query, and for a parameter given twice."""
    seen: set[str] = set()
    for name, value in pairs:
        if re.sub("[^a-z]", "", name.lower()) in _KEY_NAMES or key_hash(value.strip()) is not None:
            raise ApiError(
                400,
                "key_in_query",
                "send the key in the header x-api-key, never in the URL, which ends up in logs:"
                " if it was a real key, revoke it now with `tollbook key revoke`",
            )
        if name in seen:
            raise ApiError(400, "repeated_parameter", f"{quoted(name)} is given more than once: give it once")
        seen.add(name)


def parameter_error(error: ValidationError) -> ApiError:
    """Return the error for the first invalid parameter: what is wrong with it, and what it may be."""
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "unknown_parameter":
        return ApiError(400, first["type"], first["msg"])
    name = first["loc"][0] if first["loc"] else ""  # no name: two parameters contradict each other
    message = _MESSAGES.get(first["type"], "{msg}").format(**first)
    if first["type"] == "less_than_equal" and first.get("ctx", {}).get("le") == LAST_MS:
        message += ": it is in milliseconds, not microseconds"
    return ApiError(400, "bad_parameter", f"{name} {message}".strip())


# Instead of pydantic's messages that would puzzle somebody who sees only a URL.
_MESSAGES: Final = {
    "literal_error": "must be {ctx[expected]}",
    "greater_than_equal": "must be at least {ctx[ge]}",
    "less_than_equal": "must be at most {ctx[le]}",
    "string_too_short": "must not be empty: leave it out to see all calls",
    "string_too_long": "must have at most {ctx[max_length]} characters",
    "string_pattern_mismatch": "must not contain a zero byte",
}
