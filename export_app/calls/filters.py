"""The filters of `/v1/calls` and `/v1/stats` as query parameters."""

from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from export_app.web.parameters import Query, Text, whole_number, without_default
from tollbook.model.filters import MAX_BILLSEC, Filters
from tollbook.model.vocabulary import Direction, Disposition


def _not_a_space(value: object) -> object:
    if isinstance(value, str) and value.startswith(" "):
        raise PydanticCustomError("plus", "must not begin with a space: in a URL a + is written %2B")
    return value


_BillSeconds = Annotated[
    int,
    Field(ge=0, le=MAX_BILLSEC),
    BeforeValidator(whole_number(f"a number of seconds from 0 to {MAX_BILLSEC}")),
]
_Number = Annotated[
    str, Field(min_length=1, max_length=64, pattern=r"^[^\x00 ][^\x00]*$"), BeforeValidator(_not_a_space)
]


class FilterQuery(Query):
    """A query that takes every filter."""

    direction: Direction | SkipJsonSchema[None] = Field(
        default=None, description="Only calls of this direction.", json_schema_extra=without_default
    )
    disposition: Disposition | SkipJsonSchema[None] = Field(
        default=None, description="Only calls with this outcome.", json_schema_extra=without_default
    )
    number: _Number | SkipJsonSchema[None] = Field(
        default=None,
        description="Only calls from or to a number that begins with this, as the rows write it; a + is %2B in a URL.",
        json_schema_extra=without_default,
    )
    queue_id: Text | SkipJsonSchema[None] = Field(
        default=None, description="Only calls of this queue.", json_schema_extra=without_default
    )
    agent_id: Text | SkipJsonSchema[None] = Field(
        default=None, description="Only calls of this agent.", json_schema_extra=without_default
    )
    min_billsec: _BillSeconds | SkipJsonSchema[None] = Field(
        default=None,
        description="Only calls with a billsec of so many seconds or more.",
        json_schema_extra=without_default,
    )

    @property
    def filters(self) -> Filters:
        """What a call must match."""
        return Filters(**{name: getattr(self, name) for name in Filters.__struct_fields__})
