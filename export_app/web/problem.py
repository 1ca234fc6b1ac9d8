"""Errors as RFC 9457 has them, for clients that ask for it: the same code and message under that RFC's names."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final, Literal

from pydantic import Field

from export_app.web.schema import ResponseModel

MEDIA_TYPE: Final = "application/problem+json"
_JSON: Final = "application/json"


class Problem(ResponseModel):
    """An error in the form of RFC 9457, with the members that every error has."""

    type: str = Field(description="Names the code: urn:tollbook:problem:bad_parameter.")
    title: str = Field(description="What the HTTP status says.")
    status: int
    detail: str = Field(description="As message.")
    ok: Literal[False]
    code: str
    message: str


def is_wanted(accepted: Iterable[tuple[str, float]]) -> bool:
    """Whether a client names this form, and wants it no less than plain JSON. `accepted`: types and their qualities."""
    quality = {kind.lower(): weight for kind, weight in accepted}
    return 0 < quality.get(MEDIA_TYPE, 0) >= quality.get(_JSON, 0)


def problem_body(status: int, code: str, message: str) -> dict[str, object]:
    """Return the body of an error in this form."""
    return {
        "type": f"urn:tollbook:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": message,
        "ok": False,
        "code": code,
        "message": message,
    }


def document_problems(document: dict[str, Any]) -> None:
    """Add this form to every error of an OpenAPI document."""
    document["components"]["schemas"]["Problem"] = Problem.model_json_schema()
    form = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if int(status) >= 400 and _JSON in response.get("content", {}):
                    response["content"][MEDIA_TYPE] = form
