"""The CDR files of the demo's switch do not fill the disk."""

import os
import time
from pathlib import Path

from tollbook.demo.run import _drop_old


def test_old_files_are_removed_and_new_ones_stay(tmp_path: Path) -> None:
    for name, age_s in (("old.cdr.json", 3600), ("new.cdr.json", 60), ("old.txt", 3600)):
        (tmp_path / name).write_text("{}")
        os.utime(tmp_path / name, (time.time() - age_s,) * 2)
    _drop_old(str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.cdr.json", "old.txt"]
