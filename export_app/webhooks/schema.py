"""What `/v1/webhooks` takes and answers with, as the OpenAPI document shows it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from export_app.web.schema import ResponseModel, without_default
from tollbook.model.endpoints import MAX_SECRET, MAX_URL, MIN_SECRET
from tollbook.store.events.webhooks import COUNTED_WAITING


class NewWebhook(BaseModel):
    """An endpoint to make."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"example": {"url": "https://example.com/hooks/calls", "events": "call.started,call.ended"}},
    )

    url: str = Field(min_length=1, max_length=MAX_URL, description="https://, to a public address.")
    events: str | list[str] | None = Field(
        default=None,
        description="Names separated by commas, or a list of them; `*` or left out: all, also those added later.",
        json_schema_extra=without_default,
    )
    secret: str | None = Field(
        default=None,
        description=f"What signs, {MIN_SECRET} to {MAX_SECRET} printable characters; left out: one is made.",
        json_schema_extra=without_default,
    )


class WebhookId(BaseModel):
    """Which endpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra={"example": {"id": "wh_17"}})

    id: str | StrictInt


class WebhookPath(BaseModel):
    """The endpoint in the path."""

    id: str = Field(json_schema_extra={"pattern": "^wh_[1-9][0-9]{0,17}$", "example": "wh_17"})


class WebhookModel(ResponseModel):
    """An endpoint, without its secret."""

    id: str = Field(description="`wh_` and a number.")
    account_id: str | None = Field(description="Null: of every account, an operator's.")
    url: str
    events: str = Field(description="Names separated by commas, or `*`: all.")
    active: bool = Field(description="False: switched off after it took nothing for three days, or by the operator.")
    why: str | None = Field(description="Why it is off.")
    created_ts: int = Field(description="Epoch ms, as all times here.")
    failing_since_ts: int | None = Field(description="When the first of its last deliveries failed, all of which did.")
    delivered_ts: int | None = Field(description="When something was last delivered.")
    last_error: str | None
    delivered: int
    failed: int = Field(description="Tries.")
    dead: int = Field(description="Deliveries that were given up after three days.")
    waiting: int = Field(description=f"Deliveries that wait, counted to {COUNTED_WAITING}.")


class WebhookList(ResponseModel):
    """All endpoints of the key's account."""

    ok: Literal[True]
    count: int
    webhooks: list[WebhookModel]


class CreatedWebhook(WebhookModel):
    """An endpoint that was made, with its secret, which is shown only this once."""

    ok: Literal[True]
    secret: str = Field(description="Signs x-sipio-signature, as it stands.")
    standard_secret: str = Field(description="The same for libraries of Standard Webhooks: `whsec_…`.")


class DeletedWebhook(ResponseModel):
    """An endpoint that is no more."""

    ok: Literal[True]
    id: str


class TestedWebhooks(ResponseModel):
    """Tests that are on their way."""

    ok: Literal[True]
    sent: int = Field(description="To how many endpoints.")
    event_ids: list[str] = Field(description="The header webhook-id of each.")


def events_text(events: Any) -> str:
    """Return the events of an endpoint as they are shown."""
    return "*" if events is None else ",".join(events)
