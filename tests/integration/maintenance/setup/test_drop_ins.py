"""Units may write in the folders of the settings, wherever these are."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from maintenance.setup.drop_ins import UNITS_CDR_DIR, UNITS_DATA_DIR, drop_ins, write_drop_ins
from tests.paths import ROOT

UNITS = ROOT / "conf" / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))


def test_the_units_own_folders_need_none() -> None:
    """And those that the units name are these."""
    assert drop_ins(SERVICES, UNITS_DATA_DIR, UNITS_CDR_DIR) == {}
    assert drop_ins(SERVICES, UNITS_DATA_DIR, None) == {}
    for name in SERVICES:
        assert f"TOLLBOOK_DATA_DIR={UNITS_DATA_DIR}" in (UNITS / name).read_text()
    recover = (UNITS / "tollbook-recover.service").read_text()
    assert len(re.findall(rf"=-?(?:.* )?{UNITS_CDR_DIR}$", recover, re.MULTILINE)) == 3


def test_systemd_takes_any_folder(tmp_path: Path) -> None:
    """With a space, a quote, a percent sign and a dollar in it; only those that read CDR files get their folder."""
    program = shutil.which("systemd-analyze")
    assert program is not None, "install systemd"
    for name in SERVICES:
        text = (UNITS / name).read_text().replace("/opt/tollbook/.venv/bin/tollbook", "/bin/true")
        (tmp_path / name).write_text(re.sub(r"^(User|Group)=tollbook$", r"\1=root", text, flags=re.MULTILINE))
    data, cdrs = Path("/srv/toll book's"), Path('/srv/json "cdr" 100%$x')
    assert len(write_drop_ins(SERVICES, data, cdrs, folder=tmp_path)) == len(SERVICES)
    done = subprocess.run(
        [program, "verify", "--recursive-errors=no", *(tmp_path / name for name in SERVICES)],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    written = {name: (tmp_path / f"{name}.d" / "setup.conf").read_text() for name in SERVICES}
    assert {name for name, text in written.items() if "json" in text} == {
        "tollbook-listen.service", "tollbook-recover.service"
    }  # fmt: skip
    assert all('-"/srv/toll book' in text for text in written.values())


@pytest.mark.parametrize("cdr_dir", [None, Path("/srv/cdr")])
def test_again_nothing_changes_and_what_is_needed_no_more_goes(tmp_path: Path, cdr_dir: Path | None) -> None:
    """An operator's own drop-in beside it stays."""
    data = Path("/srv/tollbook")
    write_drop_ins(SERVICES, data, cdr_dir, folder=tmp_path)
    own = tmp_path / f"{SERVICES[0]}.d" / "mine.conf"
    own.write_text("[Service]\n")
    assert write_drop_ins(SERVICES, data, cdr_dir, folder=tmp_path) == []
    assert len(write_drop_ins(SERVICES, UNITS_DATA_DIR, None, folder=tmp_path)) == len(SERVICES)
    assert [path for path in tmp_path.glob("*/*") if path.is_file()] == [own]
