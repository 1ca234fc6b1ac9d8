"""What `/v1/now` and `/v1/wallboard/links` answer with, as the OpenAPI document shows it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from export_app.queues.schema import SipioFigures
from export_app.web.schema import ResponseModel

MAX_LINK_DAYS = 366


class Caller(ResponseModel):
    """Somebody who waits in a queue."""

    from_num: str | None = Field(description="Null by a link.")
    queue_id: str | None = Field(description="Null: the switch has not named the queue.")
    account_id: str | None = Field(description="Null by a link.")
    waiting_ts: int = Field(description="Since when, epoch ms.")


class QueueNow(ResponseModel):
    """The calls in a queue."""

    queue_id: str | None = Field(description="Null: they wait, and the switch has not named the queue.")
    account_id: str | None = Field(description="Null by a link.")
    up: int
    talking: int
    waiting: int
    waiting_ts: int | None = Field(description="Since when the first of them waits, epoch ms.")


class CallsNow(ResponseModel):
    """The calls that are up."""

    up: int
    talking: int = Field(description="Answered, and in no queue.")
    more: bool = Field(description="There are more than 2,000, of which the newest are counted.")
    waiting: int = Field(description="Callers who wait in a queue.")
    callers: list[Caller] = Field(description="Of these up to 100, who has waited longest first.")
    queues: list[QueueNow] = Field(description="The calls that are in a queue, counted by queue.")


class DayFigures(SipioFigures):
    """The figures of a day of one queue or of several."""

    longestWaitMs: int = Field(description="The longest wait of a call that has ended.")


class QueueDay(DayFigures):
    """A queue's day."""

    queue_id: str
    account_id: str | None = Field(description="Null by a link.")


class AgentState(ResponseModel):
    """An agent, and what it does."""

    agent_id: str
    account_id: str | None
    state: str = Field(description="As in `statusMs` of /v1/agents.")
    since_ts: int | None = Field(description="Since when, epoch ms; null: for over an hour.")


class AgentsNow(ResponseModel):
    """The agents, and how many are in each state."""

    states: dict[str, int] = Field(description="How many are in each state, of all.")
    agents: list[AgentState] = Field(description="Up to 1,000 of them, by switch and name.")


class NowAnswer(ResponseModel):
    """What is up at this moment. A part for which the key has no scope is null."""

    ok: Literal[True]
    now_ts: int = Field(description="When it was read, epoch ms: 2 seconds ago at most.")
    day_ts: int = Field(description="When the account's day began, from which queues have their figures.")
    queue_id: str | None = Field(description="The only queue that a link shows; null: every one.")
    calls: CallsNow | None = Field(description="Scope cdr.")
    queues: list[QueueDay] | None = Field(
        description="Scope queues: the figures of /v1/queues since day_ts, and longestWaitMs; 15 seconds old at most."
        " Up to 100. Null, too, where the archive has a part of the day."
    )
    day: DayFigures | None = Field(description="The same figures of all queues together; null as `queues`.")
    agents: AgentsNow | None = Field(description="Scope agents; null by a link, and where too many were heard of.")


class NewLink(BaseModel):
    """A link to make."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"example": {"account": "acme", "queue_id": "support@default", "days": 30}},
    )

    account: str = Field(min_length=1, max_length=255, pattern=r"^[^\x00]*$")
    queue_id: str = Field(min_length=1, max_length=255, pattern=r"^[^\x00]*$")
    days: int = Field(ge=1, le=MAX_LINK_DAYS)


class Link(ResponseModel):
    """A link, without its token."""

    id: int
    account_id: str
    queue_id: str
    created_ts: int
    expires_ts: int


class CreatedLink(Link):
    """A link that has just been made. Its token is in this answer and in no other."""

    ok: Literal[True]
    token: str = Field(description="Send it as Authorization: Bearer wb_….")


class LinkList(ResponseModel):
    """The links that show something."""

    ok: Literal[True]
    count: int
    links: list[Link]


class DeletedLink(ResponseModel):
    """A link that is gone."""

    ok: Literal[True]
    id: int


class LinkPath(BaseModel):
    """The link in the path."""

    id: int = Field(ge=1, le=2**63 - 1)
