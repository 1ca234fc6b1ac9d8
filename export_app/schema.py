"""What the API answers with, as the OpenAPI document shows it."""

from typing import Any, Final, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from export_app import csv_page
from export_app.parameters import without_default

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
    """Add to a response's description what a model of JSON cannot tell; flask-openapi3 takes it from here."""
    return cast("ConfigDict", {"frozen": True, "openapi_extra": extra})


class Answer(BaseModel):
    """Base of the answers' models."""

    model_config = ConfigDict(frozen=True)


class Call(Answer):
    """A call. While it is up, `end_ts` and all that only its end decides are null."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"example": _CALL})

    call_id: str = Field(description="The switch's id of the call; with start_ts it is unique.")
    account_id: str | None = Field(description="Null: no account is known. Only operators see such calls.")
    direction: Literal["inbound", "outbound", "internal"]
    from_num: str
    to_num: str
    start_ts: int = Field(description="Epoch ms.")
    answer_ts: int | None = Field(description="Epoch ms; null: not answered.")
    end_ts: int | None = Field(description="Epoch ms; null: the call is up.")
    duration_sec: int | None = Field(description="From start to end.")
    billsec: int | None = Field(description="From answer to end.")
    answered: Literal[0, 1]
    disposition: str | None
    hangup_cause: str | None
    queue_id: str | None
    agent_id: str | None
    cost_micros: int | None = Field(description="Millionths of the account's currency; null: not yet, or not rated.")


class CallPage(Answer):
    """A page of calls, newest first."""

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
            }
        },
    )

    ok: Literal[True]
    count: int = Field(description="How many rows this page has.")
    rows: list[Call]
    next_cursor: str = Field(
        default="",
        description="Only there when there is a next page: send it as `cursor` to get it.",
        json_schema_extra=without_default,
    )


class Who(Answer):
    """Whose key it is."""

    ok: Literal[True]
    account_id: str | None = Field(description="Null: every account (operator).")
    scopes: list[str]
    key: str = Field(description="How the key begins.")


class Health(Answer):
    """All is well."""

    ok: Literal[True]


class Failure(Answer):
    """What went wrong, and what to do about it."""

    ok: Literal[False]
    code: str = Field(description="For programs: does not change.", json_schema_extra={"example": "bad_parameter"})
    message: str = Field(
        description="For people: may change.", json_schema_extra={"example": "limit must be at least 1"}
    )
