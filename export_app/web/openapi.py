"""The two things we use of flask-openapi3, with types, which it leaves unknown."""
# pyright: reportUnknownMemberType=false

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel

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


def document(app: OpenAPI) -> Mapping[str, Any]:
    """Give the OpenAPI 3.1 document of all that is registered."""
    return cast("Mapping[str, Any]", app.api_doc)
