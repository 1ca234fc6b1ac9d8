"""What `make fuzz` checks, on a few hundred inputs; and that its check can fail."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.mutator import Mutator, split
from tests.fuzz.seeds import seeds
from tests.fuzz.wire import check, innocent_frames
from tollbook.simulator.recording import split_frames

SEEDS = dict(seeds())
SHORT = [content for content in SEEDS.values() if len(content) < 20_000]
DONORS = [frame for content in SHORT for frame in split(content)]


def scrambled(frame: bytes) -> bytes:
    """Change one byte, as a fuzzer does that knows no format."""
    dice = random.Random(len(frame))
    changed = bytearray(frame or b"x")
    changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


@pytest.mark.parametrize("name", [name for name, content in SEEDS.items() if len(content) < 20_000])
def test_a_recorded_call_leaves_the_innocent_ones_alone(name: str) -> None:
    check(SEEDS[name])


@given(content=st.sampled_from(SHORT), seeds=st.lists(st.integers(0, 2**32), min_size=1, max_size=4))
def test_a_damaged_call_leaves_the_innocent_ones_alone(content: bytes, seeds: list[int]) -> None:
    """Frames flipped, cut, doubled, out of order, with false lengths, hostile texts and absurd numbers."""
    mutator = Mutator(DONORS, scrambled)
    for seed in seeds:
        content = mutator.mutate(content, 50_000, seed)
    check(content)


def test_the_check_sees_a_row_that_is_wrong() -> None:
    """A leg below an innocent one, which it names in an escape that the check does not read, keeps that call open."""
    innocent = split_frames(innocent_frames()[0])[0]
    headers = json.loads(innocent.body)
    parent = "".join(f"\\u{ord(letter):04x}" for letter in headers["Unique-ID"])
    # Of the bytes' checksum depends where they are cut: this frame stays whole.
    headers |= {"Unique-ID": "a stranger", "variable_cdr_parent": "PARENT"}
    kept = {
        key: headers[key]
        for key in headers
        if key.startswith(("Event", "FreeS", "Unique", "Caller-Chan", "variable_cdr"))
    }
    body = json.dumps(kept, separators=(",", ":")).replace("PARENT", parent).encode()
    frame = b"Content-Length: %d\nContent-Type: text/event-json\n\n" % len(body) + body
    with pytest.raises(AssertionError, match="instead of"):
        check(frame)


def test_a_mutation_can_be_repeated() -> None:
    """The same seed gives the same bytes, so a finding does not depend on luck."""
    content = SEEDS["outbound_answered-plain-small"]
    first, again = (Mutator(DONORS, scrambled).mutate(content, 50_000, seed=7) for _ in range(2))
    assert first == again
