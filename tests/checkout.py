"""The files of the repository as the checkout has them, and a copy of them to build in."""

import shutil
import subprocess
from pathlib import Path

from tests.paths import ROOT


def tracked() -> list[str]:
    """Return the paths of the repository's files, and of new ones; without those whose name begins with a dot."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(path for path in listed.split("\0") if path and path[0] != "." and (ROOT / path).is_file())


def copy_checkout(into: Path) -> None:
    """Copy them: a build writes into the folder in which it runs."""
    for path in tracked():
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, into / path)
