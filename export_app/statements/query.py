"""What `/v1/statements` can be asked for, and whose statement a key may read."""

from typing import Annotated, Final

from flask import request
from pydantic import AfterValidator, BaseModel, Field
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from export_app.auth.identity import Identity
from export_app.web.parameters import Limit, OfAccount
from tollbook.model.accounts import Accounts, OneAccount
from tollbook.statements.forms import MEDIA_TYPES, Form
from tollbook.statements.period import MONTH_PATTERN, is_month

DEFAULT_LIMIT: Final = 100


def _month(value: str) -> str:
    if not is_month(value):
        raise PydanticCustomError("month", "must be a month, such as 2026-11")
    return value


Month = Annotated[
    str, AfterValidator(_month), Field(json_schema_extra={"pattern": MONTH_PATTERN, "example": "2026-11"})
]


class _OfAccount(OfAccount):
    def accounts(self, identity: Identity) -> Accounts:
        """Return whose statements are read: the key's, or the one that an operator names; raises ApiError."""
        return identity.accounts_of(self.account)


class StatementsQuery(_OfAccount):
    """What `GET /v1/statements` can be asked for."""

    month: Month | SkipJsonSchema[None] = Field(default=None, description="Of this month alone.")
    limit: Limit | SkipJsonSchema[None] = Field(
        default=None, description=f"At most so many, the newest month first; left out: {DEFAULT_LIMIT}."
    )


class StatementQuery(_OfAccount):
    """What `GET /v1/statements/{month}` can be asked for."""

    format: Form | SkipJsonSchema[None] = Field(
        default=None, description="Left out: as the header Accept says (text/csv, application/pdf), else json."
    )

    def one_account(self, identity: Identity) -> OneAccount:
        """Return the account whose statement is read; raises ApiError."""
        return identity.one_account(self.account)

    @property
    def form(self) -> Form:
        """The form that is asked for."""
        if self.format is not None:
            return self.format
        forms: dict[str, Form] = {kind.partition(";")[0]: form for form, kind in MEDIA_TYPES.items()}
        best = request.accept_mimetypes.best_match(list(forms))
        return "json" if best is None else forms[best]


class MonthPath(BaseModel):
    """The month in the path."""

    month: Month
