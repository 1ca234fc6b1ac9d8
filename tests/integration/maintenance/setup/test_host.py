"""What root does for the user of the services, who may have been taken over."""

import os
import pwd
import subprocess
from pathlib import Path
from typing import Any

import pytest

from maintenance.setup.host import ServiceUser, make_data_dir, readable_for
from tollbook.errors import SettingsError

NOBODY = pwd.getpwnam("nobody")
USER = ServiceUser(name="nobody", uid=NOBODY.pw_uid, gid=NOBODY.pw_gid, home="/")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root reads for others")
def test_a_copy_can_be_read_by_the_user_and_replaced_by_root_alone(tmp_path: Path) -> None:
    """In a folder of the user's own a link could stand where root changes the owner: of /etc/shadow, say."""
    deck = tmp_path / "deck.csv"
    deck.write_text("prefix,per_min\n")
    deck.chmod(0o600)
    with readable_for(deck, USER) as copy:
        read = subprocess.run(
            ["cat", copy], user=USER.uid, group=USER.gid, extra_groups=[], capture_output=True, check=False
        )
        swap = subprocess.run(
            ["ln", "-sf", "/etc/hostname", copy], user=USER.uid, group=USER.gid, extra_groups=[], check=False
        )
        assert read.stdout == deck.read_bytes()
        assert swap.returncode != 0
        assert {path.stat().st_uid for path in (copy, copy.parent)} == {0}
    assert not copy.parent.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder away")
def test_a_link_in_place_of_the_new_folder_gives_nothing_else_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder above is the user's, who is quicker than the change of the owner."""
    other = tmp_path / "etc"
    other.mkdir()
    make = Path.mkdir

    def swap(path: Path, *arguments: Any, **named: Any) -> None:
        make(path, *arguments, **named)
        path.rmdir()
        path.symlink_to(other)

    monkeypatch.setattr(Path, "mkdir", swap)
    with pytest.raises(SettingsError, match="belongs to root"):
        make_data_dir(tmp_path / "data", USER)
    assert other.stat().st_uid == 0
