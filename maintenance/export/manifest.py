"""The manifest of an export: what it holds, file by file and in all, and `SHA256SUMS`, which checks it without us.

It is written last, and has its name only when it is whole: without `manifest.json` a folder is an export that was cut
off.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec

from maintenance.export.files import Format, WrittenFile, export_schema
from tollbook.archive.file_io import write_private
from tollbook.model.record import EXPORTED_COLUMNS, Record

MANIFEST: Final = "manifest.json"
CHECKSUMS: Final = "SHA256SUMS"

_START, _END, _BILLSEC, _COST = map(EXPORTED_COLUMNS.index, ("start_ts", "end_ts", "billsec", "cost_micros"))
_CURRENCY = EXPORTED_COLUMNS.index("currency")


@dataclass(kw_only=True, slots=True)
class Sums:
    """What an export holds. `cost_micros`: per currency; calls without a price have none, and are `unpriced`."""

    rows: int = 0
    open: int = 0
    unpriced: int = 0
    billsec: int = 0
    cost_micros: dict[str, int] = field(default_factory=dict[str, int])
    first_start_ts: int | None = None
    last_start_ts: int | None = None

    def add(self, rows: Iterable[Record]) -> None:
        """Add calls with EXPORTED_COLUMNS, in the order of their starts."""
        for row in rows:
            start, end, billsec, cost = (_number(row[place]) for place in (_START, _END, _BILLSEC, _COST))
            self.rows += 1
            self.open += end is None
            self.unpriced += end is not None and cost is None
            self.billsec += billsec or 0
            if cost is not None:
                name = str(row[_CURRENCY] or "none")
                self.cost_micros[name] = self.cost_micros.get(name, 0) + cost
            self.first_start_ts = start if self.first_start_ts is None else self.first_start_ts
            self.last_start_ts = start


def _number(value: object) -> int | None:
    assert value is None or isinstance(value, int)
    return value


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """Whose calls were exported: of this account, started in [since, until), epoch ms; and when."""

    account_id: str
    since: int
    until: int
    exported_ts: int


def write_manifest(folder: Path, scope: Scope, file_format: Format, files: Sequence[WrittenFile], sums: Sums) -> None:
    """Write `SHA256SUMS` and then the manifest; raises OSError."""
    content = msgspec.json.format(msgspec.json.encode(_manifest(scope, file_format, files, sums))) + b"\n"
    hashes = {file.name: file.sha256 for file in files} | {MANIFEST: hashlib.sha256(content).hexdigest()}
    lines = "".join(f"{digest}  {name}\n" for name, digest in hashes.items())
    write_private(folder / CHECKSUMS, lines.encode())
    write_private(folder / MANIFEST, content)


def _manifest(scope: Scope, file_format: Format, files: Sequence[WrittenFile], sums: Sums) -> dict[str, Any]:
    return {
        "product": {"name": "tollbook", "version": version("tollbook")},
        **asdict(scope),
        "format": file_format,
        "schema": [{"name": field.name, "type": _type(field.type, file_format)} for field in export_schema()],
        "files": [asdict(file) for file in files],
        **asdict(sums),
    }


def _type(kind: Any, file_format: Format) -> str:
    """Name a column's type: in CSV a time is epoch ms."""
    text = str(kind).removeprefix("large_")
    return "epoch ms" if file_format == "csv" and text.startswith("timestamp") else text
