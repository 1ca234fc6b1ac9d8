"""`/v1/queues`."""

import time
from typing import Final

from flask import Response
from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from export_app.auth.request import current_identity, key_blueprint
from export_app.context import services
from export_app.queues.figures import sipio_figures
from export_app.queues.schema import QueueList
from export_app.stats.all_time import SumsQuestion, sum_all_time
from export_app.stats.query import ServiceLevel
from export_app.web.openapi import get
from export_app.web.parameters import MAX_LIMIT, EpochMs, Limit, OfAccount
from export_app.web.responses import as_json
from export_app.web.window import check_order, window_of
from tollbook.archive.engine.question import MAX_GROUPS
from tollbook.model.queue_sums import SERVICE_LEVEL_S
from tollbook.model.scopes import QUEUES
from tollbook.model.selection import Selection

DEFAULT_QUEUES: Final = 1000

queues = key_blueprint("queues", errors=(422,))


class QueuesQuery(OfAccount):
    """What `GET /v1/queues` can be asked for."""

    since: EpochMs | SkipJsonSchema[None] = Field(
        default=None, description="Calls that started at or after this time; left out: 30 days before `until`."
    )
    until: EpochMs | SkipJsonSchema[None] = Field(
        default=None, description="Calls that started before this time; left out, or in the future: now."
    )
    slSec: ServiceLevel | SkipJsonSchema[None] = Field(
        default=None,
        description="Within how many seconds of waiting a call should be answered; left out: 20.",
    )
    limit: Limit | SkipJsonSchema[None] = Field(
        default=None,
        description=f"At most so many queues, those of most calls first; left out: {DEFAULT_QUEUES}; more than"
        f" {MAX_LIMIT} counts as {MAX_LIMIT}.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> "QueuesQuery":
        check_order(self.since, self.until)
        return self


@get(queues, "/queues", summary="List queues", operation_id="listQueues", responses={200: QueueList})
def list_queues(query: QueuesQuery) -> Response:
    """The queues that calls of the time were in, with offered, answered and abandoned calls, waits and talks."""
    identity = current_identity()
    identity.require(QUEUES)
    accounts, here = identity.accounts_of(query.account), services()
    now_ms = time.time_ns() // 1_000_000
    since, until = window_of(query.since, query.until, now_ms=now_ms)
    sl_s = SERVICE_LEVEL_S if query.slSec is None else query.slSec
    limit = query.limit or DEFAULT_QUEUES
    question = SumsQuestion(
        selection=Selection(accounts=accounts, since=since, until=until),
        # A queue of one name can be of several accounts. As many groups as there may be, because those of calls without
        # a queue, one for each account, are not shown.
        groups=["queue_id", "account_id"],
        limit=MAX_GROUPS,
        prefix_digits=1,
        within_ms=sl_s * 1000,
    )
    sums = sum_all_time(here.database, here.archive, question)
    found = [
        {"queue_id": queue_id, "account_id": account_id, **sipio_figures(group.queue, sl_s=sl_s)}
        for (queue_id, account_id), group in sums.groups
        if queue_id is not None
    ]
    return as_json(
        {
            "ok": True,
            "count": len(found[:limit]),
            "from_ts": since,
            "until_ts": until,
            "queues": found[:limit],
            "more": sums.more or len(found) > limit,
        }
    )
