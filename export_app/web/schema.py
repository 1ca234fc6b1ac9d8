"""The response models that all resources share; the OpenAPI document shows them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class ResponseModel(BaseModel):
    """Base of the response models."""

    model_config = ConfigDict(frozen=True)


def without_default(schema: dict[str, Any]) -> None:
    """Document an optional member, which is absent rather than null."""
    schema.pop("default", None)


class ErrorResponse(ResponseModel):
    """What went wrong, and what to do about it."""

    ok: Literal[False]
    code: str = Field(description="For programs: stable.", json_schema_extra={"example": "bad_parameter"})
    message: str = Field(
        description="For people: may change.", json_schema_extra={"example": "limit must be at least 1"}
    )
