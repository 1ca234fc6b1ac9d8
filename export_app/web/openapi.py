"""The parts of flask-openapi3 that we use, with the types that it leaves out."""
# pyright: reportUnknownMemberType=false

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, cast, get_type_hints

from flask import request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.data_type import DataType
from flask_openapi3.models.header import Header
from flask_openapi3.models.schema import Schema
from flask_openapi3.openapi import OpenAPI
from flask_openapi3.types import ResponseDict
from pydantic import BaseModel, ConfigDict, ValidationError

from export_app.web.parameters import parameter_error
from export_app.web.schema import ErrorResponse

# What flask-openapi3's own decorator `validate_request` leaves on a view whose arguments are not its business any more.
_VALIDATES: Final = "__delay_validate_request__"

View = TypeVar("View", bound=Callable[..., object])


def get(
    blueprint: APIBlueprint,
    rule: str,
    *,
    summary: str,
    operation_id: str,
    responses: Mapping[int, type[BaseModel]],
) -> Callable[[View], View]:
    """Register a view for GET and in the document. Its arguments `path` and `query` are validated by their models."""
    register = cast(
        "Callable[[View], View]",
        blueprint.get(rule, summary=summary, operation_id=operation_id, responses=cast("Any", responses)),
    )
    return lambda view: register(_validating(view))


def _validating(view: View) -> View:
    """Return a view that gets the models of what was asked for.

    flask-openapi3 would make them, too: it looks up each parameter that there is, and what its schema says, for each
    request; here those that were sent are looked at.
    """
    hints = get_type_hints(view)
    path, query = (cast("type[BaseModel] | None", hints.get(name)) for name in ("path", "query"))

    @functools.wraps(view)
    def validating(**parts: str) -> object:
        models: dict[str, BaseModel] = {}
        try:
            if path is not None:
                models["path"] = path.model_validate(parts)
            if query is not None:
                models["query"] = query.model_validate(request.args.to_dict())
        except ValidationError as error:
            raise parameter_error(error) from error
        return view(**models)

    setattr(validating, _VALIDATES, True)
    return cast("View", validating)


def post(
    blueprint: APIBlueprint,
    rule: str,
    *,
    summary: str,
    operation_id: str,
    responses: Mapping[int, type[BaseModel]],
) -> Callable[[View], View]:
    """Register a view for POST, as `get` does; its argument `body` is JSON."""
    return cast(
        "Callable[[View], View]",
        blueprint.post(rule, summary=summary, operation_id=operation_id, responses=cast("Any", responses)),
    )


def delete(
    blueprint: APIBlueprint,
    rule: str,
    *,
    summary: str,
    operation_id: str,
    responses: Mapping[int, type[BaseModel]],
) -> Callable[[View], View]:
    """Register a view for DELETE, as `post` does."""
    return cast(
        "Callable[[View], View]",
        blueprint.delete(rule, summary=summary, operation_id=operation_id, responses=cast("Any", responses)),
    )


class TooManyRequests(ErrorResponse):
    """Too many requests in a minute (`too_many_requests`), or at once (`too_many_at_once`)."""

    # `openapi_extra` is flask-openapi3's own.
    model_config = cast(
        "ConfigDict",
        {
            "openapi_extra": {
                "description": "Too many requests of this key in a minute, or of its account at once",
                "headers": {
                    "Retry-After": Header(
                        description="How many seconds to wait.", required=True, schema=Schema(type=DataType.INTEGER)
                    )
                },
            }
        },
    )


def error_responses(*statuses: int) -> ResponseDict:
    """Return the document's entries for errors with these HTTP statuses."""
    return {status: TooManyRequests if status == 429 else ErrorResponse for status in statuses}


def document(app: OpenAPI) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of all registered views, the same object each time."""
    return cast("dict[str, Any]", app.api_doc)
