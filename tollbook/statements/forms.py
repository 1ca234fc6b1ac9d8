"""The forms in which a statement is handed out, besides a table on a terminal."""

from typing import Final, Literal, TypeAlias

from tollbook.statements.as_csv import encode_csv
from tollbook.statements.as_json import encode_json
from tollbook.statements.statement import Issued

Form: TypeAlias = Literal["json", "csv", "pdf"]

MEDIA_TYPES: Final[dict[Form, str]] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8; header=present",
    "pdf": "application/pdf",
}


def encode(issued: Issued, form: Form) -> bytes:
    """Return a statement, or a draft of one, in a form."""
    if form == "json":
        return encode_json(issued)
    if form == "csv":
        return encode_csv(issued.statement)
    # Here, because fpdf2 takes more than half a second to load.
    from tollbook.statements.pdf import encode_pdf

    return encode_pdf(issued)
