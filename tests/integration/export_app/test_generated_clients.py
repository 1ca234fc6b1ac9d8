"""A client as generators make it of the OpenAPI document: it sends each default that the document names."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.integration.export_app.conftest import Put

Send = Callable[..., dict[str, Any]]


@pytest.fixture
def generated(client: FlaskClient, key: str) -> Send:
    """Return a function that requests a path with the given parameters, and with the documented default of others."""
    document = client.get("/v1/openapi.json").get_json()

    def send(path: str, **given: object) -> dict[str, Any]:
        parameters = document["paths"][path]["get"]["parameters"]
        defaults = {one["name"]: one["schema"]["default"] for one in parameters if "default" in one["schema"]}
        sent = {name: str(value) for name, value in (defaults | given).items()}
        answer = client.get(path, query_string=sent, headers={"x-api-key": key})
        assert answer.status_code == 200, answer.get_json()
        return answer.get_json()

    return send


@pytest.mark.parametrize("first", [{}, {"since": 1000}, {"order": "asc"}, {"since": 1000, "until": 10**13}])
def test_a_walk_reads_on_by_the_cursor_alone(put: Put, generated: Send, first: dict[str, object]) -> None:
    """Page 2 is read with the cursor and the defaults, whatever window and order the first page asked for."""
    for number in range(3):
        put(f"call-{number}")
    page = generated("/v1/calls", limit=1, **first)
    found = [row["call_id"] for row in page["rows"]]
    while "next_cursor" in page:
        page = generated("/v1/calls", limit=1, cursor=page["next_cursor"])
        found += [row["call_id"] for row in page["rows"]]
    assert sorted(found) == ["call-0", "call-1", "call-2"]


def test_a_sync_goes_on_by_the_cursor_alone(put: Put, generated: Send) -> None:
    """A sync, its second page and the next sync are answered, although a sync takes no window and no order."""
    put("call-0")
    put("call-1")
    page = generated("/v1/calls", limit=1, updated_since=0)
    assert "call_id" in page["rows"][0]
    page = generated("/v1/calls", cursor=page["next_cursor"])
    assert page["count"] == 1
    assert generated("/v1/calls", cursor=page["sync_cursor"])["ok"]


@pytest.mark.parametrize(
    "path", ["/v1/calls", "/v1/calls/{id}", "/v1/stats", "/v1/doubts", "/v1/queues", "/v1/numbers", "/v1/account"]
)
def test_no_parameter_has_a_documented_default(client: FlaskClient, path: str) -> None:
    """What leaving a parameter out means is in its description: that is sent by nobody."""
    parameters = client.get("/v1/openapi.json").get_json()["paths"][path]["get"]["parameters"]
    assert parameters
    assert [parameter["name"] for parameter in parameters if "default" in parameter["schema"]] == []
