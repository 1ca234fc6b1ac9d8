"""The spool's files: in what order they are replayed, what a full disk leaves, who may use them."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from esl_listener.segment import decode_segment
from esl_listener.spool import SEGMENT_BYTES, Spool, open_own_spool
from tollbook.errors import SettingsError
from tollbook.model.leg import Facts, Leg
from tollbook.spool_files import MAX_LISTENERS, segments

START_US = 1_700_000_000_000_000


def leg(number: int, caller: str = "") -> Leg:
    return Leg(switch="fs", uid=f"leg-{number}", created_us=START_US + number, create=Facts(caller=caller))


@contextmanager
def opened(folder: Path, max_bytes: int = 1 << 30) -> Iterator[Spool]:
    """A spool that is unlocked at the end, as when its process ends."""
    spool = Spool(folder, max_bytes)
    spool.open()
    try:
        yield spool
    finally:
        spool.close()


def drained(spool: Spool) -> list[Leg]:
    """Replay a spool to its end."""
    legs: list[Leg] = []
    while segment := spool.take():
        legs += segment.legs
        assert spool.remove(segment) == ""
    return legs


def test_legs_come_back_in_order_and_the_files_go(tmp_path: Path) -> None:
    with opened(tmp_path / "spool") as spool:
        assert spool.append([leg(0), leg(1)]) == ""
        first = spool.take()
        assert spool.append([leg(2)]) == ""
        assert first is not None
        assert first.legs == [leg(0), leg(1)]
        assert spool.remove(first) == ""
        assert drained(spool) == [leg(2)]
        assert (spool.bytes, spool.waiting, segments(tmp_path / "spool")) == (0, 0, [])


def test_what_a_killed_listener_left_is_found(tmp_path: Path) -> None:
    """A new spool on the same folder replays the old segments first, and numbers its own after them."""
    with opened(tmp_path) as spool:
        spool.append([leg(0)])
        left = spool.bytes
    with opened(tmp_path) as spool:
        assert (spool.bytes, spool.waiting) == (left, 1)
        spool.append([leg(1)])
        assert drained(spool) == [leg(0), leg(1)]


def test_a_segment_that_was_taken_and_not_removed_comes_again(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.append([leg(0)])
        assert spool.take() is not None
    with opened(tmp_path) as spool:
        assert drained(spool) == [leg(0)]


def test_large_spools_have_many_segments(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        for number in range(5):
            spool.append([leg(number, "x" * SEGMENT_BYTES)])
        assert spool.waiting == 5
        assert drained(spool) == [leg(number, "x" * SEGMENT_BYTES) for number in range(5)]


def test_the_bound_is_reported_and_kept(tmp_path: Path) -> None:
    """A spool that would grow over its bound takes nothing, and takes again when there is room."""
    with opened(tmp_path, max_bytes=1_000) as spool:
        assert spool.append([leg(0, "x" * 500)]) == ""
        assert "TOLLBOOK_SPOOL_MAX is 1000 bytes" in spool.append([leg(1, "x" * 500)])
        assert sum(path.stat().st_size for path in segments(tmp_path)) <= 1_000
        assert drained(spool) == [leg(0, "x" * 500)]
        assert spool.append([leg(1, "x" * 500)]) == ""


def test_a_disk_that_fills_up_loses_nothing_that_was_confirmed(tmp_path: Path) -> None:
    """A write that stops half-way is reported and leaves no trace; what was written before and after it is there."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with opened(tmp_path) as spool:
        assert spool.append([leg(0)]) == ""
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, limits[1]))
        try:
            assert "large" in spool.append([leg(1), leg(2, "x" * 10_000)])
            assert "large" in spool.append([leg(2, "x" * 10_000)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert spool.append([leg(3)]) == ""
    found = [decode_segment(path.read_bytes()) for path in segments(tmp_path)]
    assert [segment.legs for segment in found] == [(leg(0),), (leg(3),)]
    assert [segment.torn_bytes for segment in found] == [0, 0]


def test_a_segment_that_cannot_be_read_holds_nothing_up(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.append([leg(0)])
        segments(tmp_path)[0].unlink()
        bad = spool.take()
        assert bad is not None
        assert (bad.legs, bad.problem) == ([], "No such file or directory")
        spool.append([leg(1)])
        assert drained(spool) == [leg(1)]


def test_each_listener_has_a_spool_and_what_one_left_behind_is_adopted(tmp_path: Path) -> None:
    first, second = open_own_spool(tmp_path, 1_000_000), open_own_spool(tmp_path, 1_000_000)
    assert [first.folder.name, second.folder.name] == ["spool", "spool-2"]
    assert first.append([leg(1)]) == second.append([leg(2)]) == ""
    second.close()
    third = open_own_spool(tmp_path, 1_000_000)  # the second's folder again, and its segment
    assert (third.folder.name, drained(third)) == ("spool-2", [leg(2)])
    assert third.append([leg(3)]) == ""
    third.close()
    first.close()
    last = open_own_spool(tmp_path, 1_000_000)
    assert (last.folder.name, last.waiting) == ("spool", 2)
    assert drained(last) == [leg(1), leg(3)]
    last.close()


def test_what_a_listener_leaves_behind_later_is_adopted_by_one_that_runs(tmp_path: Path) -> None:
    """It ended after the other had started: nobody may have to start once more for its legs."""
    first, second = open_own_spool(tmp_path, 1_000_000), open_own_spool(tmp_path, 1_000_000)
    assert second.append([leg(1)]) == ""
    first.adopt_all()
    assert first.waiting == 0  # it is still there
    second.close()
    first.adopt_all()
    assert (first.waiting, drained(first)) == (1, [leg(1)])
    first.close()


def test_more_listeners_than_a_data_directory_takes_are_refused(tmp_path: Path) -> None:
    held = [open_own_spool(tmp_path, 1_000) for _ in range(MAX_LISTENERS)]
    with pytest.raises(SettingsError, match="give this one its own TOLLBOOK_DATA_DIR"):
        open_own_spool(tmp_path, 1_000)
    for spool in held:
        spool.close()


def test_a_spool_has_one_listener(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(SettingsError, match="another listener is using"):
        Spool(tmp_path, 1_000).open()
    with opened(tmp_path):
        pass


def test_a_folder_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be used: Not a directory"):
        Spool(tmp_path / "file" / "spool", 1_000).open()
