"""The file of settings as `tollbook setup` writes it."""

import os
import pwd
from pathlib import Path

import pytest

from maintenance.setup.settings_file import SettingsFile
from tollbook.errors import SettingsError


def test_a_link_stays_one(tmp_path: Path) -> None:
    """As of who keeps the file in a repository of configuration: what it leads to is written."""
    target, link = tmp_path / "kept.env", tmp_path / "tollbook.env"
    target.write_text("# ours\nA=1\n")
    link.symlink_to("kept.env")
    settings = SettingsFile(link)
    settings.set("A", "2")
    settings.write(None)
    assert link.is_symlink()
    assert target.read_text() == "# ours\nA='2'\n"
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["kept.env", "tollbook.env"]


@pytest.mark.parametrize("leads_to", ["another user's file", "nothing"])
def test_a_link_that_leads_elsewhere_is_refused(leads_to: str, tmp_path: Path) -> None:
    """The settings hold passwords, and become whose the file is that is written."""
    target, link = tmp_path / "kept.env", tmp_path / "tollbook.env"
    if leads_to != "nothing":
        target = of_nobody(target)
    link.symlink_to(target)
    settings = SettingsFile(link)
    settings.set("A", "2")
    with pytest.raises(SettingsError, match=f"{link} is a link to {target}, which is not a file of this user"):
        settings.write(None)
    assert link.is_symlink()
    assert target.exists() == (leads_to != "nothing")


def of_nobody(path: Path) -> Path:
    """A file that belongs to another user, if we may give it away; else one of root's."""
    if os.geteuid() != 0:
        return Path("/etc/passwd")
    path.touch()
    os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
    return path
