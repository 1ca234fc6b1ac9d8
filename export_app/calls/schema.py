"""What `/v1/calls` answers with, as the OpenAPI document shows it, and what a call has there and alone."""

from typing import Any, Final, Literal, cast

from pydantic import ConfigDict, Field, JsonValue

from export_app.calls import csv_page
from export_app.web.schema import ResponseModel, without_default
from tollbook.model.vocabulary import Direction, Disposition, HungUpBy

_CALL: Final[dict[str, JsonValue]] = {
    "call_id": "8f4b3c52-6f0e-4f5e-9a54-6c9a5f0f6a4e",
    "account_id": "acme",
    "direction": "outbound",
    "from_num": "1001",
    "to_num": "+4930123456",
    "start_ts": 1767225600000,
    "answer_ts": 1767225604000,
    "end_ts": 1767225664000,
    "duration_sec": 64,
    "billsec": 60,
    "answered": 1,
    "disposition": "answered",
    "hangup_cause": "NORMAL_CLEARING",
    "queue_id": None,
    "agent_id": None,
    "cost_micros": 21000,
}


def _documented(**extra: Any) -> ConfigDict:
    """Add to a response's description what a model of JSON cannot say; flask-openapi3 takes it from here."""
    return cast("ConfigDict", {"frozen": True, "openapi_extra": extra})


class Call(ResponseModel):
    """A call. While it is up, `end_ts` and everything that only its end decides are null."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"example": _CALL})

    call_id: str = Field(description="The switch's id of the call; with start_ts and switch it is unique.")
    account_id: str | None = Field(description="Null: no account is known. Only operators see such calls.")
    direction: Direction
    from_num: str
    to_num: str
    start_ts: int = Field(description="Epoch ms.")
    answer_ts: int | None = Field(description="Epoch ms; null: not answered.")
    end_ts: int | None = Field(description="Epoch ms; null: the call is up.")
    duration_sec: int | None = Field(description="From start to end.")
    billsec: int | None = Field(description="From answer to end.")
    answered: Literal[0, 1]
    disposition: Disposition | None
    hangup_cause: str | None
    queue_id: str | None
    agent_id: str | None
    cost_micros: int | None = Field(
        description="Millionths of a unit of the currency; null: not yet, or not rated. The page names the currency."
    )


def _none_required(schema: dict[str, Any]) -> None:
    """Document that a row has only the columns that were asked for."""
    schema.pop("required", None)


class Recording(ResponseModel):
    """A file in which the call was recorded."""

    path: str | None = Field(
        description="Below the root folder of recordings, or the file's name alone; null: it is no file. For an"
        " operator's key as the switch states it."
    )
    url: str | None = Field(description="Where the operator's web server has it; the address is no permission.")


FOR_OPERATORS: Final = "For operators' keys, unless TOLLBOOK_TENANTS_SEE_CARRIERS is set."
OF_CARRIER: Final = "Null for an account's key where that is a carrier's, unless TOLLBOOK_TENANTS_SEE_CARRIERS is set."


class DetailsOfCall(ResponseModel):
    """What became of a call beside its columns. Null where nothing says."""

    hung_up_by: HungUpBy | None = Field(description="Who ended the last conversation.")
    pdd_ms: int | None = Field(description="From the caller's INVITE to the first ringing, early media or answer.")
    ring_ms: int | None = Field(description="From there to the answer, or to the end.")
    wait_ms: int | None = Field(description="In a queue, until an agent answered or the caller left.")
    talk_ms: int | None = Field(description="Of the queue's agent who took the call, until one of them hung up.")
    hold_ms: int | None = Field(description="During which at least one party held.")
    rx_mos: float | None = Field(description="Mean opinion score, 1 to 5, of what the switch received from the caller.")
    codec: str | None = Field(description="Of the caller's leg.")
    sip_call_id: str | None = Field(description=f"Of the caller's leg. {OF_CARRIER}")
    source_ip: str | None = Field(description=f"Of the caller's leg. {OF_CARRIER}")
    gateway: str | None = Field(description=f"That answered, or that was tried last. {FOR_OPERATORS}")
    sip_status: int | None = Field(description=f"The last carrier's final answer when none answered. {FOR_OPERATORS}")
    destination: str | None = Field(description="The name of the rate of the longest charge.")
    recordings: list[Recording] | None = Field(description="Null: none is known.")
    voicemail: bool | None = Field(description="Whether a message was left; null: nothing says.")
    vars: dict[str, str] | None = Field(description="Of the variables in TOLLBOOK_VARIABLES those that the call has.")
    imported: str | None = Field(
        description="The format and file that the call was imported from; null: Tollbook recorded it itself."
    )


class CallWithExtras(Call):
    """A call with what is kept beside its record."""

    currency: str | None = Field(description="Of cost_micros, ISO 4217; null: no plan priced it.")
    switch: str = Field(description="Which switch it went through.")
    revision: int = Field(description="0 while the call is up, 1 when complete, one more each time it was corrected.")
    estimated: bool = Field(
        description="The end of a leg is an estimate, or the switch's clock was set back during the call."
    )
    updated_ts: int | None = Field(description="When the row was written, epoch ms; null: it is in the archive alone.")
    parts: list[dict[str, JsonValue]] | None = Field(description="What was charged, and the rate that priced it.")


# The bases in this order, because a schema begins with the fields of the last: it lists the columns as `fields` does.
class ListedCall(DetailsOfCall, CallWithExtras):
    """A call with the columns that were asked for; without `fields`, the first 16."""

    model_config = ConfigDict(frozen=True, json_schema_extra=_none_required)


class DeletedCall(ResponseModel):
    """A call that was deleted, or is another account's now."""

    start_ts: int = Field(description="Epoch ms.")
    call_id: str
    switch: str


class CallPage(ResponseModel):
    """A page of calls."""

    model_config = _documented(
        content={
            "text/csv": {
                "schema": {"type": "string"},
                "example": csv_page.encode_page([list(_CALL.values())]).decode(),
            },
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {
                "schema": {"type": "string", "format": "binary"},
            },
        },
        headers={
            csv_page.NEXT_CURSOR: {
                "description": "CSV and XLSX: the next page's cursor, when there is a next page.",
                "schema": {"type": "string"},
            },
            csv_page.SYNC_CURSOR: {
                "description": "CSV and XLSX: the cursor of the next sync, on the last page of changes.",
                "schema": {"type": "string"},
            },
            csv_page.CURRENCY: {
                "description": "CSV and XLSX: the currency of all amounts, `mixed` if there are several; absent: none.",
                "schema": {"type": "string"},
            },
            "Link": {
                "description": "The next page, rel=next, when there is one.",
                "schema": {"type": "string"},
            },
        },
    )

    ok: Literal[True]
    count: int = Field(description="How many rows this page has.")
    currency: str | None = Field(
        default=None,
        description="The currency of all amounts of the page, ISO 4217; `mixed`: ask for `fields=…,currency`; null: no"
        " call has a plan. Absent where no column is an amount.",
        json_schema_extra=without_default,
    )
    hint: str = Field(
        default="", description="Present where amounts are in several currencies.", json_schema_extra=without_default
    )
    rows: list[ListedCall]
    deleted: list[DeletedCall] = Field(
        default=[],
        description="Present on every page of changes: calls to delete, whatever the filters. In CSV each is a row that"
        " has only its key, and `true` in the last column, `deleted`.",
        json_schema_extra=without_default,
    )
    next_cursor: str = Field(
        default="",
        description="Present when there is a next page: send it as `cursor` to get it.",
        json_schema_extra=without_default,
    )
    sync_cursor: str = Field(
        default="",
        description="Present on the last page of changes: send it as `cursor` to begin the next sync here.",
        json_schema_extra=without_default,
    )
