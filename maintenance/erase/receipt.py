"""The receipt of an erasure as a file, beside the one in PostgreSQL: it outlives a database that is restored.

It holds no number and no key of a call, only the SHA-256 of the keys.
"""

import datetime as dt
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

from tollbook.archive.file_io import make_private_folder, write_private
from tollbook.store.erasure.receipts import Erasure

_FOLDER: Final = "receipts"


def receipt_path(data_dir: Path, erasure: Erasure) -> Path:
    """Return where the receipt of an erasure is."""
    begun = dt.datetime.fromtimestamp(erasure.begun_ts // 1000, dt.UTC)
    return data_dir / _FOLDER / f"erasure-{begun:%Y-%m-%d}-{erasure.erasure_id}.json"


def write_receipt(data_dir: Path, erasure: Erasure, finished_ts: int) -> Path:
    """Write the receipt of an erasure of which nothing is left, and return its path; raises OSError."""
    path = receipt_path(data_dir, erasure)
    product = {"name": "tollbook", "version": version("tollbook")}
    receipt = asdict(erasure) | {"finished_ts": finished_ts, "product": product}
    receipt.pop("number")
    make_private_folder(path.parent)
    write_private(path, msgspec.json.format(msgspec.json.encode(receipt)) + b"\n")
    return path
