"""JSON answers."""

import msgspec
from flask import Response


def as_json(answer: object, status: int = 200) -> Response:
    """Answer with JSON, its members in the order given."""
    return Response(msgspec.json.encode(answer), status=status, content_type="application/json")
