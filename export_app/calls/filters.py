"""The filters of `/v1/calls` and `/v1/stats` as query parameters."""

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, Field
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from export_app.web.parameters import Query, Text, whole_number
from tollbook.model.event import LONGEST_TEXT
from tollbook.model.filters import MAX_BILLSEC, VARIABLE_FILTER, Filters
from tollbook.model.vocabulary import Direction, Disposition, HungUpBy


def _not_a_space(value: object) -> object:
    if isinstance(value, str) and value.startswith(" "):
        raise PydanticCustomError("plus", "must not begin with a space: in a URL a + is written %2B")
    return value


_BillSeconds = Annotated[
    int,
    Field(ge=0, le=MAX_BILLSEC),
    BeforeValidator(whole_number(f"a number of seconds from 0 to {MAX_BILLSEC}")),
]
Number = Annotated[
    str, Field(min_length=1, max_length=64, pattern=r"^[^\x00 ][^\x00]*$"), BeforeValidator(_not_a_space)
]


def _true_or_false(value: object) -> object:
    if isinstance(value, str) and value not in ("true", "false"):
        raise PydanticCustomError("boolean", "must be true or false")
    return value


def _has_name(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(VARIABLE_FILTER, value):
        raise PydanticCustomError(
            "variable", "must be NAME:VALUE, the name of a variable and the whole value of up to 256 characters"
        )
    return value


_Status = Annotated[int, Field(ge=100, le=699), BeforeValidator(whole_number("a SIP status from 100 to 699"))]
Bool = Annotated[bool, BeforeValidator(_true_or_false)]
_LongText = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT, pattern=r"^[^\x00]*$")]
_Variable = Annotated[
    str,
    Field(json_schema_extra={"pattern": f"{VARIABLE_FILTER}$", "example": "sip_h_X-Campaign:spring"}),
    BeforeValidator(_has_name),
]


#: The filters that a query can set: each is a parameter of this name.
FILTER_NAMES: Final = tuple(name for name in Filters.__struct_fields__ if name != "spellings")


class FilterQuery(Query):
    """A query that takes every filter."""

    direction: Direction | SkipJsonSchema[None] = Field(default=None, description="Only calls of this direction.")
    disposition: Disposition | SkipJsonSchema[None] = Field(default=None, description="Only calls with this outcome.")
    number: Number | SkipJsonSchema[None] = Field(
        default=None,
        description="Only calls from or to a number that begins with this, as the rows write it, or that is this number"
        " in another spelling of the account's numbering plan; a + is %2B in a URL.",
    )
    from_num: Number | SkipJsonSchema[None] = Field(default=None, description="The same of the caller's number alone.")
    to_num: Number | SkipJsonSchema[None] = Field(default=None, description="The same of the called number alone.")
    queue_id: Text | SkipJsonSchema[None] = Field(default=None, description="Only calls of this queue.")
    agent_id: Text | SkipJsonSchema[None] = Field(default=None, description="Only calls of this agent.")
    hangup_cause: Text | SkipJsonSchema[None] = Field(
        default=None, description="Only calls with this hangup cause, as the rows write it: NORMAL_CLEARING."
    )
    open: Bool | SkipJsonSchema[None] = Field(
        default=None, description="true: only calls that are up; false: only those that have ended."
    )
    account: Text | SkipJsonSchema[None] = Field(
        default=None, description="Only calls of this account. For operators' keys."
    )
    min_billsec: _BillSeconds | SkipJsonSchema[None] = Field(
        default=None,
        description="Only calls with a billsec of so many seconds or more.",
    )

    hung_up_by: HungUpBy | SkipJsonSchema[None] = Field(default=None, description="Only calls that this party ended.")
    codec: _LongText | SkipJsonSchema[None] = Field(
        default=None, description="Only calls with this codec, as the rows write it."
    )
    sip_call_id: _LongText | SkipJsonSchema[None] = Field(
        default=None, description="Only calls whose caller's leg has this Call-ID."
    )
    gateway: _LongText | SkipJsonSchema[None] = Field(
        default=None,
        description="Only calls over this gateway. For operators' keys, unless TOLLBOOK_TENANTS_SEE_CARRIERS is set.",
    )
    sip_status: _Status | SkipJsonSchema[None] = Field(
        default=None,
        description="Only calls that a carrier ended with this SIP status. For whom `gateway` is.",
    )
    destination: _LongText | SkipJsonSchema[None] = Field(
        default=None, description="Only calls charged by a rate with this name."
    )
    voicemail: Bool | SkipJsonSchema[None] = Field(
        default=None,
        description="true: only calls in which a message was left; false: only those in which none was.",
    )
    var: _Variable | SkipJsonSchema[None] = Field(
        default=None,
        description="NAME:VALUE: only calls with this variable (TOLLBOOK_VARIABLES) and this value.",
    )

    @property
    def filters(self) -> Filters:
        """What a call must match."""
        return Filters(**{name: getattr(self, name) for name in FILTER_NAMES})
