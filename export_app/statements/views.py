"""`/v1/statements`: those that were issued, and drafts of months that are not."""

import time
from typing import Final

import msgspec
from flask import Response

from export_app.auth.request import current_identity, key_blueprint
from export_app.context import Services, services
from export_app.statements.query import DEFAULT_LIMIT, MonthPath, StatementQuery, StatementsQuery
from export_app.statements.schema import StatementAnswer, StatementList
from export_app.web.errors import ApiError
from export_app.web.openapi import get
from export_app.web.responses import as_json
from tollbook.archive.period_sums import ArchivedSums
from tollbook.errors import DataError, UsageError
from tollbook.model.accounts import OneAccount
from tollbook.model.scopes import CDR
from tollbook.statements.book import find_issued, read_draft
from tollbook.statements.forms import MEDIA_TYPES, Form, encode
from tollbook.statements.statement import Issued, freeze
from tollbook.store.statements.issued import list_newest

# Some 60 pages, which take 2 s of a core. Only rates without names have that many destinations.
MAX_PDF_LINES: Final = 3000

statements = key_blueprint("statements", errors=(404, 422, 500))


@get(
    statements, "/statements", summary="List statements", operation_id="listStatements", responses={200: StatementList}
)
def list_statements(query: StatementsQuery) -> Response:
    """The issued statements of the key's account, with their totals, the newest month first."""
    identity = current_identity()
    identity.require(CDR)
    accounts = query.accounts(identity)
    limit = query.limit or DEFAULT_LIMIT
    with services().database.reading(accounts) as connection:
        found = list_newest(connection, accounts, limit=limit + 1, month=query.month)
    listed = [
        {
            "account_id": row.account_id, "month": row.month, "number": row.number, "issued_ts": row.issued_ts,
            "sha256": row.sha256, "totals": msgspec.Raw(row.totals.encode()),
        }
        for row in found[:limit]
    ]  # fmt: skip
    return as_json({"ok": True, "count": len(listed), "more": len(found) > limit, "statements": listed})


@get(
    statements,
    "/statements/<month>",
    summary="Read a statement",
    operation_id="readStatement",
    responses={200: StatementAnswer},
)
def read_statement(path: MonthPath, query: StatementQuery) -> Response:
    """The statement of a month as it was issued, or a draft as it would be now; as JSON, CSV or PDF."""
    identity = current_identity()
    identity.require(CDR)
    account, form = query.one_account(identity), query.form
    found = _find(services(), account, path.month)
    if form == "pdf" and len(found.statement.lines) > MAX_PDF_LINES:
        raise ApiError(
            422,
            "too_many_lines",
            f"a PDF is made here of up to {MAX_PDF_LINES} lines: ask for format=csv, or the operator for"
            " `tollbook statement --format pdf`",
        )
    return _respond(found, form)


def _find(here: Services, account: OneAccount, month: str) -> Issued:
    """Return the issued statement, or a draft; raises ApiError, StoreUnavailable, and the archive's errors."""
    try:
        with here.database.summing(account) as connection:
            if (found := find_issued(connection, account.account_id, month)) is not None:
                return found
            now_ms = time.time_ns() // 1_000_000
            draft = read_draft(connection, here.statements, account.account_id, month, now_ms=now_ms)
    except UsageError as error:
        raise ApiError(404, "no_statement", str(error)) from error
    except DataError as error:
        message = "an issued statement is not what was issued: the operator has to restore it from a backup"
        raise ApiError(500, "statement_damaged", message) from error
    archived = ArchivedSums()
    if (question := draft.archived) is not None:
        archived = here.archive.sum_periods(account, question)
    try:
        return freeze(draft.complete(archived))
    except DataError as error:
        raise ApiError(422, "no_currency", str(error)) from error


def _respond(found: Issued, form: Form) -> Response:
    response = Response(encode(found, form), content_type=MEDIA_TYPES[form])
    response.vary.add("Accept")
    if form != "json":
        name = f"statement-{found.statement.number or f'{found.statement.month}-draft'}.{form}"
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
