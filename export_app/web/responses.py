"""Responses in JSON."""

import msgspec
from flask import Response


def as_json(body: object, status: int = 200) -> Response:
    """Return a response in JSON, its members in the order given."""
    return Response(msgspec.json.encode(body), status=status, content_type="application/json")


def error_body(code: str, message: str) -> dict[str, object]:
    """Return the body of every error: a code for programs, and a message that says what to do."""
    return {"ok": False, "code": code, "message": message}
