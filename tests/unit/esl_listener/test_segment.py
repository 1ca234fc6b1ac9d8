"""A segment's records: what was written is read, and damage costs at most the record that it is in."""

import struct
import zlib

from hypothesis import given
from hypothesis import strategies as st

from esl_listener.segment import decode_segment, encode_record
from tollbook.model.leg import Facts, Leg

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
    whole_records = sum(1 for record_end in ends if record_end <= end)
    found = decode_segment(whole[:end])
    assert list(found.legs) == legs[:whole_records]
    assert found.damaged == ()
    assert found.torn_bytes == end - ([0, *ends][whole_records])


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
    """A record of another version is kept for somebody to look at, and holds nothing else up."""
    body = encode_record(leg(1))[12:].replace(b'"uid"', b'"who"')
    strange = struct.pack("<4sII", b"\xffTB\xfe", len(body), zlib.crc32(body)) + body
    found = decode_segment(encode_record(leg(0)) + strange + encode_record(leg(2)))
    assert (found.legs, found.damaged) == ((leg(0), leg(2)), (strange,))
