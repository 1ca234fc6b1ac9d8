"""A statement as JSON: its canonical content as it is, with the hash beside it."""

import msgspec

from tollbook.statements.statement import Issued


def encode_json(issued: Issued) -> bytes:
    """Return `{"ok": true, "sha256": …, "statement": {…}}`; the hash of a draft is null."""
    sha256 = issued.sha256 if issued.statement.number else None
    return msgspec.json.encode({"ok": True, "sha256": sha256, "statement": msgspec.Raw(issued.content)})
