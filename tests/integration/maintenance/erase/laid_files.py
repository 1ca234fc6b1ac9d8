"""Files of legs as a switch, a listener and recover leave them."""

import json
from pathlib import Path

import msgspec

from tests.factories import leg
from tests.paths import CALLS
from tollbook.spool_files import refused_leg_path

#: Of three legs and four; both of the account that `account_of` names.
OURS = "attended_transfer"
OTHERS = "queue_answered_by_agent"


def lay(folder: Path, name: str, account: str) -> list[Path]:
    """Lay a recording's files into a folder, with an account that nothing else has."""
    laid: list[Path] = []
    for file in sorted((CALLS / name / "json_cdr").iterdir()):
        content = json.loads(file.read_bytes())
        if "accountcode" in content["variables"]:
            content["variables"]["accountcode"] = account
        laid.append(folder / file.name)
        laid[-1].write_text(json.dumps(content))
    return laid


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*.json")}


def refuse(letters: Path, name: str, **facts: str) -> Path:
    path = refused_leg_path(letters, name)
    path.write_bytes(msgspec.json.encode({"reason": "a NUL", "leg": leg(name, **facts)}))
    return path
