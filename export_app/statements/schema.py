"""What `/v1/statements` answers with, as the OpenAPI document shows it; docs/statements.md explains each member."""

from typing import Literal, cast

from pydantic import ConfigDict, Field

from export_app.web.schema import ResponseModel
from tollbook.model.vocabulary import Direction


class PartyModel(ResponseModel):
    """Who issues a statement, or whom it is for."""

    name: str
    address: list[str] = Field(description="Its lines.")
    tax_id: str


class TaxModel(ResponseModel):
    """A tax of the statement's own month."""

    name: str
    rate: str = Field(description="In percent.")


class LineModel(ResponseModel):
    """Calls of a month with the same direction, destination and currency; of a correction the difference."""

    month: str
    kind: Literal["calls", "correction", "erased"]
    direction: Direction
    destination: str | None = Field(description="The rate's name; null: not answered, or free of charge.")
    currency: str | None
    calls: int
    billsec: int
    minutes: str = Field(description="billsec / 60, rounded to two decimals.")
    amount_micros: int = Field(description="Exact.")


class TaxAmountModel(ResponseModel):
    """A tax on a rounded net amount."""

    name: str
    rate: str
    net: str
    tax: str


class TotalModel(ResponseModel):
    """What the lines of a currency come to."""

    currency: str
    calls: int
    billsec: int
    minutes: str
    amount_micros: int = Field(description="The exact sum of all lines.")
    net: str = Field(description="Rounded to the currency's decimals.")
    taxes: list[TaxAmountModel]
    total: str = Field(description="Net and taxes.")


class UncountedModel(ResponseModel):
    """Calls of a month that no line has."""

    month: str
    open: int
    unrated: int
    unrated_billsec: int


class UncountedCallModel(ResponseModel):
    """One of them."""

    start_ts: int
    call_id: str
    open: bool


class StatementModel(ResponseModel):
    """A statement: with sorted names and without blanks, it is what `sha256` is the hash of."""

    account_id: str
    as_of_ts: int = Field(description="When the calls were read.")
    estimated: int
    from_ts: int
    issued_ts: int | None = Field(description="Null: a draft.")
    issuer: PartyModel
    lines: list[LineModel]
    month: str
    not_compared: list[str]
    number: str | None = Field(description="Null: a draft.")
    recipient: PartyModel
    taxes: list[TaxModel]
    totals: list[TotalModel]
    uncounted: list[UncountedModel]
    uncounted_calls: list[UncountedCallModel]
    until_ts: int
    version: int
    zone: str


class StatementAnswer(ResponseModel):
    """A statement and its hash."""

    # `openapi_extra` is flask-openapi3's own.
    model_config = cast(
        "ConfigDict",
        {
            "frozen": True,
            "openapi_extra": {
                "content": {
                    "text/csv": {"schema": {"type": "string"}},
                    "application/pdf": {"schema": {"type": "string", "contentMediaType": "application/pdf"}},
                }
            },
        },
    )

    ok: Literal[True]
    sha256: str | None = Field(description="Of the canonical content of `statement`; null of a draft.")
    statement: StatementModel


class ListedModel(ResponseModel):
    """An issued statement."""

    account_id: str
    month: str
    number: str
    issued_ts: int
    sha256: str
    totals: list[TotalModel]


class StatementList(ResponseModel):
    """Issued statements, the newest month first."""

    ok: Literal[True]
    count: int
    more: bool = Field(description="There are more than `limit`.")
    statements: list[ListedModel]
