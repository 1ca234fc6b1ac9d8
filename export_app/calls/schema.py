"""What `/v1/calls` answers with, as the OpenAPI document shows it."""

from typing import Any, Final, Literal, cast

from pydantic import ConfigDict, Field, JsonValue

from export_app.calls import csv_page
from export_app.web.parameters import without_default
from export_app.web.schema import ResponseModel
from tollbook.model.vocabulary import Direction, Disposition

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
    cost_micros: int | None = Field(description="Millionths of the account's currency; null: not yet, or not rated.")


def _none_required(schema: dict[str, Any]) -> None:
    """Document that a row has only the columns that were asked for."""
    schema.pop("required", None)


class ListedCall(Call):
    """A call with the columns that were asked for; without `fields`, the first 16."""

    model_config = ConfigDict(frozen=True, json_schema_extra=_none_required)

    currency: str | None = Field(description="Of cost_micros, ISO 4217; null: no plan priced it.")
    switch: str = Field(description="Which switch it went through.")
    revision: int = Field(description="0 while the call is up, 1 when complete, one more each time it was corrected.")
    estimated: bool = Field(
        description="The end of a leg is an estimate, or the switch's clock was set back during the call."
    )
    updated_ts: int | None = Field(description="When the row was written, epoch ms; null: it is in the archive alone.")
    parts: list[dict[str, JsonValue]] | None = Field(description="What was charged, and the rate that priced it.")


class CallPage(ResponseModel):
    """A page of calls."""

    model_config = _documented(
        content={
            "text/csv": {
                "schema": {"type": "string"},
                "example": csv_page.encode_page([list(_CALL.values())]).decode(),
            }
        },
        headers={
            csv_page.NEXT_CURSOR: {
                "description": "CSV only: the next page's cursor, when there is a next page.",
                "schema": {"type": "string"},
            },
            csv_page.SYNC_CURSOR: {
                "description": "CSV only: the cursor of the next sync, on the last page of changes.",
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
    rows: list[ListedCall]
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


class Leg(ResponseModel):
    """A leg of a call: one channel of the switch."""

    leg: int = Field(description="Its number in this call, in the order the legs were made; the rules use it.")
    role: Literal["root", "child", "orphan"] = Field(description="Orphan: no event of its parent was received.")
    child_of: int | None = Field(description="The number of the leg that it was made for.")
    depth: int = Field(description="How many legs are above it.")
    parent_uid: str | None = Field(description="The id of the leg that it was made for, known or not.")
    named_by: str | None = Field(description="The header that names its parent.")
    uid: str = Field(description="The switch's id of the channel.")
    channel: str
    direction: Literal["inbound", "outbound"] = Field(description="The channel's: inbound came to the switch.")
    caller_num: str
    dialed_num: str
    call_number: str | None = Field(description="The number that an operator's variable says is charged.")
    gateway: str | None = Field(description="The switch's name for the trunk that it went over.")
    off_net: bool
    off_net_rule: str = Field(description="The rule by which it is off-net, or is not.")
    created_ts: int = Field(description="Epoch ms.")
    answered_ts: int | None = Field(description="Epoch ms; null: not answered.")
    hangup_ts: int | None = Field(description="Epoch ms; null: it is up.")
    hangup_cause: str | None
    known_from: Literal["create", "cdr_file", "look", "end", "answer"] = Field(
        description="create: its CHANNEL_CREATE was received. Otherwise what it is known from instead."
    )
    ended_by: Literal["event", "cdr_file", "estimate"] | None = Field(description="What says that it ended.")
    lives: list[int] = Field(description="When it was created, epoch ms: more than once after `sofia recover`.")


class RateTerms(ResponseModel):
    """The rate that priced a part."""

    prefix: str
    per_min_micros: int
    connection_fee_micros: int
    first_increment_sec: int
    increment_sec: int
    valid_from_ts: int = Field(description="Epoch ms.")
    valid_to_ts: int | None = Field(description="Epoch ms, not included; null: for ever.")


class PricePart(ResponseModel):
    """One thing that the call is charged for."""

    direction: Direction
    number: str
    seconds: int
    leg: int | None = Field(description="The leg that is charged; null: the call itself, or no longer known.")
    charged: str | None = Field(description="Why it is charged; null: the settings have changed since.")
    billed_sec: int | None = Field(description="Seconds after increments.")
    digits: str | None = Field(description="The number as prefixes were compared with it: E.164 by a dial plan.")
    rate_id: int | None
    rate: str | None = Field(description="The name of the rate that priced it.")
    plan: str | None = Field(description="The plan that the rate belongs to: the account's own, or its base.")
    version: int | None = Field(description="The version of that plan which brought the rate.")
    terms: RateTerms | None = Field(description="Null: no rate.")
    cost_micros: int | None
    priced: str = Field(description="The arithmetic.")


class FormerPrice(ResponseModel):
    """What the call cost until it was priced again."""

    cost_micros: int | None
    currency: str | None
    unrated: str | None
    replaced_ts: int = Field(description="When it was priced again, epoch ms.")


class CallPrice(ResponseModel):
    """What the call costs, and why."""

    cost_micros: int | None
    currency: str | None
    unrated: str | None = Field(description="Why a finished call has no price.")
    total: str
    parts: list[PricePart]
    before: list[FormerPrice] = Field(description="The prices it had before, oldest first.")


class CallDetail(Call):
    """A call, explained."""

    model_config = ConfigDict(frozen=True)

    switch: str = Field(description="Which switch it went through.")
    revision: int = Field(description="0 while the call is up, 1 when complete, one more each time it was corrected.")
    estimated: bool = Field(
        description="The end of a leg is an estimate, or the switch's clock was set back during the call."
    )
    note: str | None = Field(
        description="What to know before reading on, for example that the legs are no longer kept."
    )
    legs: list[Leg] = Field(description="In the order in which they were made.")
    rules: dict[str, str] = Field(description="For each column, the rule that gave its value, as a sentence.")
    price: CallPrice


class CallDetails(ResponseModel):
    """The calls of an id, newest first: more than one where a switch used the id again, or two the same one."""

    ok: Literal[True]
    calls: list[CallDetail]
