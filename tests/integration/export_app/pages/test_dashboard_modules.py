"""The pure parts of the dashboard's scripts, in node's own test runner."""

import re
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


def test_the_page_names_every_module_that_it_needs() -> None:
    """So that the browser asks for all of them at once, and not for one after it has read another."""
    folder = Path(export_app.pages.__file__).with_name("dashboard_page")
    needed, unread = set[str](), ["app.js"]
    while unread:
        name = unread.pop()
        needed.add(name)
        imported = re.findall(r'^import\b[^;]*?"\./(\w+\.js)";', (folder / name).read_text(), re.MULTILINE)
        unread += set(imported) - needed
    named = re.findall(r'<link rel="modulepreload" href="assets/(\w+\.js)">', (folder / "index.html").read_text())
    assert sorted({*named, "app.js"}) == sorted(needed)
