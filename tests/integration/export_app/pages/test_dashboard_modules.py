"""The pure parts of the dashboard's scripts, in node's own test runner."""

import shutil
import subprocess
from pathlib import Path

import pytest

import export_app.pages


@pytest.mark.parametrize("tests", ["dashboard.test.mjs", "now.test.mjs"])
def test_the_scripts_decide_as_they_should(tests: str, tmp_path: Path) -> None:
    """Each test of the file passes."""
    node = shutil.which("node")
    assert node, "node is missing: run `make debian`, or install Debian's package nodejs"
    shutil.copytree(Path(export_app.pages.__file__).with_name("dashboard_page"), tmp_path, dirs_exist_ok=True)
    shutil.copy(Path(__file__).with_name(tests), tmp_path)
    # Browsers know them as modules by how the page names them, node by this.
    (tmp_path / "package.json").write_text('{"type": "module"}')
    done = subprocess.run([node, "--test", tests], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-5000:]
