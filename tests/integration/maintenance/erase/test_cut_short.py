"""An erasure that is cut short among files goes on with what it had not found yet."""

import json
from pathlib import Path
from uuid import UUID

import pytest

from maintenance.erase.run import erase_calls
from maintenance.recover.json_cdr import leg_of_file
from tests.integration.maintenance.erase.filled import request
from tests.integration.maintenance.erase.laid_files import OURS, lay, names, refuse
from tollbook.config import Settings
from tollbook.model.event import header_names
from tollbook.store.database import Connection
from tollbook.store.erasure import receipts


class _Cut(BaseException):
    """Stands for a kill: nothing catches it."""


def test_cut_short_while_it_looks_it_finds_the_legs_of_legs_again(
    cdr_settings: Settings, letters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A leg whose parent was noted before the cut, and is looked at after it, goes too."""
    refuse(letters, "c-root", account="acme")
    refuse(letters, "b-child", parent="c-root")
    refuse(letters, "a-grandchild", parent="b-child")
    add_file = receipts.add_file

    def cut_after(connection: Connection, erasure_id: UUID, place: str, path: str) -> None:
        add_file(connection, erasure_id, place, path)
        if path == "leg-b-child.json":
            raise _Cut

    with monkeypatch.context() as patched:
        patched.setattr(receipts, "add_file", cut_after)
        with pytest.raises(_Cut):
            erase_calls(cdr_settings, request())
    assert len(list(letters.iterdir())) == 3
    report = erase_calls(cdr_settings, request())
    assert list(letters.iterdir()) == []
    assert report.erasure.counts["dead letters"] == 3


def test_cut_short_when_files_were_deleted_it_finds_their_legs_in_a_further_folder(
    cdr_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of a leg names only the leg in between, whose file is gone by then."""
    folder, further = cdr_settings.cdr_dir, tmp_path / "further"
    assert folder is not None
    further.mkdir()
    files = lay(folder, OURS, "acme")
    legs = {path: leg_of_file(path.read_bytes(), header_names()) for path in files}
    child = next(path for path, made in legs.items() if made.create is not None and made.create.parent is not None)
    below = json.loads(child.read_bytes())
    below["variables"].pop("accountcode", None)
    text = json.dumps(below).replace(legs[child].uid, "grand-child")
    assert legs[child].create is not None
    assert legs[child].create.parent is not None
    (further / "below.json").write_text(text.replace(legs[child].create.parent.uid, legs[child].uid))
    with monkeypatch.context() as patched:
        patched.setattr("maintenance.erase.run.owned_numbers", cut)
        with pytest.raises(_Cut):
            erase_calls(cdr_settings, request())
    assert names(folder) == set()
    erase_calls(cdr_settings, request(cdr_dirs=(further,)))
    assert names(further) == set()


def cut(*_: object) -> None:
    raise _Cut
