"""What every response is made of, as the OpenAPI document shows it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ResponseModel(BaseModel):
    """Base of the answers' models."""

    model_config = ConfigDict(frozen=True)


class ErrorResponse(ResponseModel):
    """What went wrong, and what to do about it."""

    ok: Literal[False]
    code: str = Field(description="For programs: does not change.", json_schema_extra={"example": "bad_parameter"})
    message: str = Field(
        description="For people: may change.", json_schema_extra={"example": "limit must be at least 1"}
    )
