"""What `/v1/account` and `/v1/numbers` answer with, as the OpenAPI document shows it."""

from typing import Literal

from pydantic import Field

from export_app.web.schema import ResponseModel, without_default


class AccountAnswer(ResponseModel):
    """An account."""

    ok: Literal[True]
    account_id: str
    name: str
    status: Literal["active", "disabled"] = Field(description="A disabled account's own keys are refused.")
    timezone: str = Field(description="Of its statements: a name of the IANA time zone database.")
    numbering: str | None = Field(description="The numbering plan by which it dials; null: numbers are plain digits.")
    created_ts: int = Field(description="Epoch ms.")
    accountId: str = Field(description="As account_id, by the name that sip.io has for it.")


class NumberOfAccount(ResponseModel):
    """A number that an account owns."""

    number: str = Field(description="As the account has it: digits, or a name such as `support`.")
    e164: str | None = Field(description="Country code and number without a +; null: the number is no such one.")
    account_id: str
    status: Literal["active"]


class NumberList(ResponseModel):
    """A page of numbers."""

    ok: Literal[True]
    count: int = Field(description="How many numbers this page has.")
    numbers: list[NumberOfAccount] = Field(description="In the order of their text.")
    next_cursor: str = Field(
        default="",
        description="Present when there is a next page: send it as `cursor` to get it.",
        json_schema_extra=without_default,
    )
