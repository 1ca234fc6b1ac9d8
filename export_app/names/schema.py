"""What `/v1/names` answers with, as the OpenAPI document shows it."""

from typing import Literal, TypeAlias

from pydantic import ConfigDict, Field

from export_app.web.schema import ResponseModel

Parameter: TypeAlias = Literal["queue_id", "agent_id", "account"]


class Name(ResponseModel):
    """A name that calls have had."""

    model_config = ConfigDict(
        frozen=True, json_schema_extra={"example": {"parameter": "queue_id", "value": "sales@default"}}
    )

    parameter: Parameter = Field(description="The parameter of `/v1/calls` and `/v1/stats` that takes it.")
    value: str


class NameList(ResponseModel):
    """The names that were found, best first."""

    ok: Literal[True]
    names: list[Name] = Field(
        description="Those that are what was sought, without what follows an @, before those that begin with it."
    )
    more: bool = Field(description="There are more than `limit`.")
