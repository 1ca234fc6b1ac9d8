"""`/v1/agents`."""

import time
from typing import Final

from flask import Response
from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from export_app.agents.all_time import AgentFigures, figures_of
from export_app.agents.schema import AgentList
from export_app.auth.request import current_identity, key_blueprint
from export_app.context import services
from export_app.web.openapi import get
from export_app.web.parameters import MAX_LIMIT, EpochMs, Limit, OfAccount, Text
from export_app.web.responses import as_json
from export_app.web.window import check_order, window_of
from tollbook.model.agents.spans import BUCKETS
from tollbook.model.scopes import AGENTS

DEFAULT_AGENTS: Final = 1000

agents = key_blueprint("agents", errors=(422,))


class AgentsQuery(OfAccount):
    """What `GET /v1/agents` can be asked for."""

    since: EpochMs | SkipJsonSchema[None] = Field(
        default=None, description="What agents did from this time on; left out: 30 days before `until`."
    )
    until: EpochMs | SkipJsonSchema[None] = Field(
        default=None, description="What they did before this time; left out, or in the future: now."
    )
    agent_id: Text | SkipJsonSchema[None] = Field(default=None, description="The agents of this name alone.")
    userId: Text | SkipJsonSchema[None] = Field(default=None, description="The same, by sip.io's name.")
    limit: Limit | SkipJsonSchema[None] = Field(
        default=None,
        description=f"At most so many agents, by switch and name; left out: {DEFAULT_AGENTS}; more than {MAX_LIMIT}"
        f" counts as {MAX_LIMIT}.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> "AgentsQuery":
        check_order(self.since, self.until)
        return self


@get(agents, "/agents", summary="List agents", operation_id="listAgents", responses={200: AgentList})
def list_agents(query: AgentsQuery) -> Response:
    """The agents of the key's account: what they do now, how long they were in each state, and their shares of it."""
    identity = current_identity()
    identity.require(AGENTS)
    accounts, here = identity.accounts_of(query.account), services()
    now_ms = time.time_ns() // 1_000_000
    since, until = window_of(query.since, query.until, now_ms=now_ms)
    limit = query.limit or DEFAULT_AGENTS
    names = {name for name in (query.agent_id, query.userId) if name is not None}
    found: list[AgentFigures] = []
    if len(names) < 2:  # no agent has two names
        with here.database.summing(accounts) as connection:
            found = figures_of(connection, accounts, since, until, agent=next(iter(names), None), now_ms=now_ms)
    return as_json(
        {
            "ok": True,
            "count": len(found[:limit]),
            "from_ts": since,
            "until_ts": until,
            "agents": [agent_to_dict(agent) for agent in found[:limit]],
            "more": len(found) > limit,
        }
    )


def agent_to_dict(agent: AgentFigures) -> dict[str, object]:
    """Return an agent as the API shows it."""
    sums, now = agent.sums, agent.now
    return {
        "agent_id": agent.agent,
        "userId": agent.agent,
        "switch": agent.switch,
        "account_id": agent.account_id,
        "status": now.status if now else None,
        "state": now.state if now else None,
        "state_ts": now.from_ms if now else None,
        "statusMs": {bucket: sums.ms.get(bucket, 0) for bucket in BUCKETS},
        "loggedInMs": sums.logged_in_ms,
        "handleMs": sums.handle_ms,
        "occupancyPct": sums.occupancy_pct,
        "utilizationPct": sums.utilization_pct,
        "handled": sums.handled,
    }
