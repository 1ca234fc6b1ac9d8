"""What we use of flask-openapi3, with the types that it leaves unknown."""
# pyright: reportUnknownMemberType=false

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.openapi import OpenAPI
from flask_openapi3.types import ResponseDict
from pydantic import BaseModel

from export_app.web.schema import ErrorResponse

View = TypeVar("View", bound=Callable[..., object])


def get(
    blueprint: APIBlueprint,
    rule: str,
    *,
    summary: str,
    operation_id: str,
    responses: Mapping[int, type[BaseModel]],
) -> Callable[[View], View]:
    """Make a view answer GET and stand in the document. Its argument `query`, if any, is checked by its model."""
    return cast(
        "Callable[[View], View]",
        blueprint.get(rule, summary=summary, operation_id=operation_id, responses=cast("Any", responses)),
    )


def error_responses(*statuses: int) -> ResponseDict:
    """Return the document's entries for errors of these HTTP statuses."""
    return dict.fromkeys(statuses, ErrorResponse)


def document(app: OpenAPI) -> Mapping[str, Any]:
    """Give the OpenAPI 3.1 document of all that is registered."""
    return cast("Mapping[str, Any]", app.api_doc)
