"""What docs/install.md and the README show is run: on a machine of its own in `make soak`, and here what needs none."""

import re
import subprocess
from pathlib import Path

from tests.documents import section, shell_blocks
from tests.paths import ROOT

README = (ROOT / "README.md").read_text()
INSTALL = ROOT / "docs" / "install.md"
# What a newcomer runs in the checkout. `.ci/run` runs each on every change: the demo, and all tests.
OF_THE_CHECKOUT = ("make demo", "make test")


def commands(text: str) -> list[str]:
    """The commands of a text, in blocks and indented, without what is said of them; `a && b` are two."""
    lines = re.findall(r"^(?: {4})?((?:make|apt-get|tollbook|curl) .*)$", text, re.MULTILINE)
    return [part.strip() for line in lines for part in re.sub(r"  +#.*", "", line).split(" && ")]


def test_each_command_of_the_readme_is_one_that_is_run() -> None:
    """By a newcomer's page, which is followed on a machine of its own, or by `.ci/run` in the checkout."""
    run = (ROOT / ".ci" / "run").read_text()
    assert all(command in run for command in OF_THE_CHECKOUT)
    known = set(commands(INSTALL.read_text()))
    found = commands(section(ROOT / "README.md", "Install it")) + commands(section(ROOT / "README.md", "Try it"))
    assert [command for command in found if command not in known and not command.startswith(OF_THE_CHECKOUT)] == []
    assert len(found) > 5


def test_a_clone_takes_no_environment_along(tmp_path: Path) -> None:
    """And so `make install` in it installs: in a copy of a folder in use it would find that all was done."""
    block = shell_blocks(section(INSTALL, "Without the package"))[0]
    (clone,) = re.findall(r"^git clone .*$", block, re.MULTILINE)
    (install,) = re.findall(r"^make .*$", block, re.MULTILINE)
    assert "/opt/tollbook" in clone
    script = f"{clone}\n{install.replace('make ', 'make --dry-run ')}".replace("/opt/tollbook", str(tmp_path / "new"))
    done = subprocess.run(["sh", "-euc", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert not (tmp_path / "new" / ".venv").exists()
    assert "requirements.lock" in done.stdout


def test_the_readme_is_one_screen() -> None:
    """More of it belongs on a page of its own."""
    assert len(README.splitlines()) <= 100
