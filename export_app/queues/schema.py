"""What `/v1/queues` answers with, as the OpenAPI document shows it."""

from typing import Literal

from pydantic import ConfigDict, Field

from export_app.web.schema import ResponseModel


class SipioFigures(ResponseModel):
    """Figures of queues by the names of sip.io. A percentage or an average is 0 where there is nothing to divide by."""

    offered: int = Field(description="Complete calls of the queue.")
    answered: int = Field(description="Of these, calls that an agent took.")
    abandoned: int = Field(description="All others: the caller hung up, or the queue let the caller go (a time-out).")
    overflowed: int = Field(description="Of the abandoned, calls that somebody who is no agent answered after all.")
    abandonRatePct: int = Field(description="Abandoned calls of 100 that were offered.")
    asaMs: int | None = Field(description="How long answered calls waited, on average; null: they state no wait.")
    slSec: int = Field(description="The service level in seconds.")
    serviceLevelPct: int | None = Field(
        description="Calls answered within slSec seconds of 100 offered ones whose wait is known; null: none states it."
    )
    ahtMs: int | None = Field(description="How long agents talked, on average; null: no answered call states it.")


class Queue(SipioFigures):
    """A queue and its figures."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "example": {
                "queue_id": "support@default", "account_id": "acme", "offered": 60, "answered": 51, "abandoned": 9,
                "overflowed": 3, "abandonRatePct": 15, "asaMs": 9200, "slSec": 20, "serviceLevelPct": 75,
                "ahtMs": 180000,
            }
        },
    )  # fmt: skip

    queue_id: str
    account_id: str | None


class QueueList(ResponseModel):
    """The queues of a time."""

    ok: Literal[True]
    count: int = Field(description="How many queues the list has.")
    from_ts: int = Field(description="Calls were counted from this time, epoch ms.")
    until_ts: int = Field(description="Calls were counted until this time, epoch ms.")
    queues: list[Queue] = Field(description="Those of most calls first.")
    more: bool = Field(description="There are more queues than `limit`.")
