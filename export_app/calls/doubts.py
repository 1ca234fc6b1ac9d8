"""`/v1/doubts`: what calls may have cost the operator and bill nobody."""

import time
from typing import Final, Literal

from flask import Response
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from export_app.auth.request import current_identity, key_blueprint
from export_app.context import services
from export_app.web.openapi import get
from export_app.web.parameters import EpochMs, Query
from export_app.web.responses import as_json
from export_app.web.schema import ResponseModel
from tollbook.model.doubts import EXPLAINED, DoubtKind
from tollbook.model.scopes import OPERATOR
from tollbook.store.calls.doubts import count_doubts
from tollbook.times import MS_PER_DAY

DEFAULT_WINDOW_MS: Final = 3 * MS_PER_DAY
MAX_DOUBTS: Final = 100


class DoubtsQuery(Query):
    """What `GET /v1/doubts` can be asked for."""

    since: EpochMs | SkipJsonSchema[None] = Field(
        default=None,
        description="Calls that started at or after this time; left out: the last three days.",
    )


class CallsInDoubt(ResponseModel):
    """Calls that one setting settles."""

    kind: DoubtKind
    name: str = Field(description="The host, gateway or account that the setting has to name.")
    calls: int
    billsec: int = Field(description="The seconds that they talked, in total.")
    call_id: str = Field(description="The newest of them.")
    what: str = Field(description="What happened.")
    helps: str = Field(description="The setting.")


class Doubts(ResponseModel):
    """The doubts about recent calls."""

    ok: Literal[True]
    since_ts: int = Field(description="Epoch ms.")
    calls: int = Field(description="How many calls are in doubt; one with two doubts counts twice.")
    doubts: list[CallsInDoubt] = Field(description=f"The most frequent first, {MAX_DOUBTS} at most.")


doubts = key_blueprint("doubts")


@get(doubts, "/doubts", summary="List what may be free by mistake", operation_id="listDoubts", responses={200: Doubts})
def list_doubts(query: DoubtsQuery) -> Response:
    """Recent calls that may have cost the operator what nobody is billed for. For an operator's key alone."""
    identity = current_identity()
    identity.require(OPERATOR)
    since_ms = query.since if query.since is not None else time.time_ns() // 1_000_000 - DEFAULT_WINDOW_MS
    with services().database.summing(identity.accounts) as connection:
        found = count_doubts(connection, since_ms, MAX_DOUBTS)
    listed: list[dict[str, object]] = []
    for doubt in found:
        what, helps = (text.format(name=doubt.name) for text in EXPLAINED[doubt.kind])
        counts = {"calls": doubt.calls, "billsec": doubt.billsec, "call_id": doubt.call_id}
        listed.append({"kind": doubt.kind, "name": doubt.name, **counts, "what": what, "helps": helps})
    calls = found[0].all_calls if found else 0
    return as_json({"ok": True, "since_ts": since_ms, "calls": calls, "doubts": listed})
