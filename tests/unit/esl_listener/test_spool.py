"""The spool's records and files: what damage costs, what a full disk leaves, who may use it."""

import resource
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esl_listener.segment import decode_segment, encode_record
from esl_listener.spool import SEGMENT_BYTES, Spool, open_own_spool
from tollbook.errors import SettingsError
from tollbook.model.leg import Facts, Leg
from tollbook.spool_files import MAX_LISTENERS, segments

START_US = 1_700_000_000_000_000


def leg(number: int, caller: str = "") -> Leg:
    return Leg(switch="fs", uid=f"leg-{number}", created_us=START_US + number, create=Facts(caller=caller))


# Whatever callers call themselves, the magic of a record spelt in text included.
LEGS = st.lists(st.text(max_size=20), min_size=1, max_size=8).map(
    lambda callers: [leg(number, caller) for number, caller in enumerate(callers)]
)


@given(LEGS)
def test_what_was_written_is_read(legs: list[Leg]) -> None:
    found = decode_segment(b"".join(map(encode_record, legs)))
    assert (list(found.legs), found.damaged, found.torn_bytes) == (legs, (), 0)


@given(LEGS, st.data())
def test_a_cut_loses_at_most_the_record_it_cuts(legs: list[Leg], data: st.DataObject) -> None:
    """Wherever the file ends, every whole record before it is there, and nothing is taken for damage."""
    whole = b"".join(map(encode_record, legs))
    end = data.draw(st.integers(0, len(whole)))
    ends = [len(b"".join(map(encode_record, legs[: count + 1]))) for count in range(len(legs))]
    kept = sum(1 for one in ends if one <= end)
    found = decode_segment(whole[:end])
    assert list(found.legs) == legs[:kept]
    assert found.damaged == ()
    assert found.torn_bytes == end - ([0, *ends][kept])


@given(LEGS, st.data())
def test_a_wrong_byte_loses_at_most_its_record(legs: list[Leg], data: st.DataObject) -> None:
    """Whichever byte is wrong, in a length or in a checksum too, all other records are there."""
    whole = bytearray(b"".join(map(encode_record, legs)))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    hit = next(number for number in range(len(legs)) if len(b"".join(map(encode_record, legs[: number + 1]))) > at)
    found = decode_segment(bytes(whole))
    assert list(found.legs) == [*legs[:hit], *legs[hit + 1 :]]
    assert len(found.damaged) + (found.torn_bytes > 0) == 1


def test_a_sound_record_that_is_no_leg_is_damage() -> None:
    """A record of another version is kept for somebody to look at, and holds nobody up."""
    body = encode_record(leg(1))[12:].replace(b'"uid"', b'"who"')
    strange = struct.pack("<4sII", b"\xffTB\xfe", len(body), zlib.crc32(body)) + body
    found = decode_segment(encode_record(leg(0)) + strange + encode_record(leg(2)))
    assert (found.legs, found.damaged) == ((leg(0), leg(2)), (strange,))


@contextmanager
def opened(folder: Path, max_bytes: int = 1 << 30) -> Iterator[Spool]:
    """A spool that is let go at the end, as a process does when it ends."""
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


def test_the_bound_is_told_and_kept(tmp_path: Path) -> None:
    """A spool that would grow over its bound takes nothing, and takes again when there is room."""
    with opened(tmp_path, max_bytes=1_000) as spool:
        assert spool.append([leg(0, "x" * 500)]) == ""
        assert "TOLLBOOK_SPOOL_MAX is 1000 bytes" in spool.append([leg(1, "x" * 500)])
        assert sum(path.stat().st_size for path in segments(tmp_path)) <= 1_000
        assert drained(spool) == [leg(0, "x" * 500)]
        assert spool.append([leg(1, "x" * 500)]) == ""


def test_a_disk_that_fills_up_loses_nothing_that_was_promised(tmp_path: Path) -> None:
    """A write that stops half-way is told and leaves no trace; what was written before and after it is there."""
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
    assert [one.legs for one in found] == [(leg(0),), (leg(3),)]
    assert [one.torn_bytes for one in found] == [0, 0]


def test_a_segment_that_cannot_be_read_holds_nobody_up(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.append([leg(0)])
        segments(tmp_path)[0].unlink()
        bad = spool.take()
        assert bad is not None
        assert (bad.legs, bad.problem) == ([], "No such file or directory")
        spool.append([leg(1)])
        assert drained(spool) == [leg(1)]


def test_each_listener_has_a_spool_and_what_one_left_behind_is_adopted(tmp_path: Path) -> None:
    one, two = open_own_spool(tmp_path, 1_000_000), open_own_spool(tmp_path, 1_000_000)
    assert [one.folder.name, two.folder.name] == ["spool", "spool-2"]
    assert one.append([leg(1)]) == two.append([leg(2)]) == ""
    two.close()
    three = open_own_spool(tmp_path, 1_000_000)  # the second's folder again, and its segment
    assert (three.folder.name, drained(three)) == ("spool-2", [leg(2)])
    assert three.append([leg(3)]) == ""
    three.close()
    one.close()
    last = open_own_spool(tmp_path, 1_000_000)
    assert (last.folder.name, last.waiting) == ("spool", 2)
    assert drained(last) == [leg(1), leg(3)]
    last.close()


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


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be used: Not a directory"):
        Spool(tmp_path / "file" / "spool", 1_000).open()
