"""`/v1/unrated`: which calls have no price, why, and what helps."""

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
from rating.remedy import RemedyKind, remedy
from tollbook.model.scopes import OPERATOR
from tollbook.store.calls.unrated import count_unrated
from tollbook.times import MS_PER_DAY

DEFAULT_WINDOW_MS: Final = 3 * MS_PER_DAY
MAX_REASONS: Final = 100


class UnratedQuery(Query):
    """What `GET /v1/unrated` can be asked for."""

    since: EpochMs | SkipJsonSchema[None] = Field(
        default=None,
        description="Calls that started at or after this time; left out: three days before `until`.",
    )
    until: EpochMs | SkipJsonSchema[None] = Field(
        default=None, description="Calls that started before this time; left out: now."
    )
    account: str | SkipJsonSchema[None] = Field(default=None, description="Calls of this account; left out: of all.")


class UnratedCalls(ResponseModel):
    """Calls that one command or setting settles."""

    kind: RemedyKind
    account_id: str | None = Field(description="Null: calls without an account.")
    calls: int
    billsec: int = Field(description="The seconds that they talked, in total.")
    call_id: str = Field(description="The newest of them.")
    start_ts: int = Field(description="When the newest of them began, epoch ms.")
    what: str = Field(description="What happened.")
    helps: str = Field(description="The command or the setting; what stands between backticks is typed.")


class Unrated(ResponseModel):
    """The calls without a price that PostgreSQL has."""

    ok: Literal[True]
    since_ts: int = Field(description="Epoch ms.")
    until_ts: int = Field(description="Epoch ms, not included.")
    calls: int = Field(description="How many calls have no price. The archive's are not in it: it does not keep why.")
    unrated: list[UnratedCalls] = Field(description=f"The most frequent first, {MAX_REASONS} at most.")


unrated = key_blueprint("unrated")


@get(unrated, "/unrated", summary="List why calls have no price", operation_id="listUnrated", responses={200: Unrated})
def list_unrated(query: UnratedQuery) -> Response:
    """Calls that no price was found for, by account and reason, with what helps. For an operator's key alone."""
    identity = current_identity()
    identity.require(OPERATOR)
    until_ms = query.until if query.until is not None else time.time_ns() // 1_000_000
    since_ms = query.since if query.since is not None else until_ms - DEFAULT_WINDOW_MS
    with services().database.summing(identity.accounts) as connection:
        found = count_unrated(connection, since_ms, until_ms, query.account, MAX_REASONS)
    listed: list[dict[str, object]] = []
    for some in found:
        settled = remedy(some.reason, some.account_id)
        counts = {"calls": some.calls, "billsec": some.billsec, "call_id": some.call_id, "start_ts": some.start_ts}
        said = {"what": settled.what, "helps": settled.helps}
        listed.append({"kind": settled.kind, "account_id": some.account_id, **counts, **said})
    calls = found[0].all_calls if found else 0
    return as_json({"ok": True, "since_ts": since_ms, "until_ts": until_ms, "calls": calls, "unrated": listed})
