"""The folder into which mod_json_cdr writes."""

import os
from pathlib import Path

from tollbook.simulator.recording import CdrFile


def write(folder: Path, cdr: CdrFile) -> Path:
    """Write a CDR file so that a reader sees all of it or nothing; return its path."""
    path = folder / cdr.name
    # Renamed within the folder. The other suffix hides the unfinished file from a reader of *.json.
    unfinished = folder / f".{cdr.name}.tmp"
    unfinished.write_bytes(cdr.text)
    os.replace(unfinished, path)
    return path
