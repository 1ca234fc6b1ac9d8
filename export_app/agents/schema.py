"""What `/v1/agents` answers with, as the OpenAPI document shows it."""

from typing import Literal

from pydantic import ConfigDict, Field

from export_app.web.schema import ResponseModel


class StatusMs(ResponseModel):
    """How long an agent was in each state, in milliseconds."""

    ready: int = Field(description="Available and waiting for a call.")
    offering: int = Field(description="Available, and a call rings.")
    incall: int = Field(description="Connected with a caller.")
    wrapup: int = Field(description="Always 0: the switch does not tell this time from ready.")
    idle: int = Field(description="Available, and set idle: gets no call.")
    paused: int = Field(description="On a break.")
    offline: int = Field(description="Logged out.")
    unknown: int = Field(description="Nobody heard the switch, or it said something that has no name here.")


class Agent(ResponseModel):
    """An agent of one switch, and its figures. A percentage is 0 where there is nothing to divide by."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "example": {
                "agent_id": "bob@acme.example", "userId": "bob@acme.example", "switch": "fs1",
                "account_id": "acme.example", "status": "Available", "state": "Waiting", "state_ts": 1767225600000,
                "statusMs": {
                    "ready": 7200000, "offering": 90000, "incall": 10800000, "wrapup": 0, "idle": 0,
                    "paused": 1800000, "offline": 0, "unknown": 0,
                },
                "loggedInMs": 19890000, "handleMs": 10800000, "occupancyPct": 60, "utilizationPct": 54, "handled": 61,
            }
        },
    )  # fmt: skip

    agent_id: str
    userId: str = Field(description="The same, by sip.io's name.")
    switch: str
    account_id: str | None = Field(description="Null, for operators alone: nothing says whose the agent is.")
    status: str | None = Field(description="What the agent wants at the end of the time; null: unknown, or no agent.")
    state: str | None = Field(description="What it is doing then; null: unknown, or no agent.")
    state_ts: int | None = Field(description="Since when it has that status and that state, as far as it was asked.")
    statusMs: StatusMs
    loggedInMs: int = Field(description="All but offline and unknown.")
    handleMs: int = Field(description="incall and wrapup.")
    occupancyPct: int = Field(description="handleMs of 100 ms of handleMs and ready.")
    utilizationPct: int = Field(description="handleMs of 100 ms of loggedInMs.")
    handled: int = Field(description="How many callers it was connected with.")


class AgentList(ResponseModel):
    """The agents of a time."""

    ok: Literal[True]
    count: int = Field(description="How many agents the list has.")
    from_ts: int = Field(description="The figures begin here, epoch ms.")
    until_ts: int = Field(description="They end here, epoch ms.")
    agents: list[Agent] = Field(description="By switch and name.")
    more: bool = Field(description="There are more agents than `limit`.")
