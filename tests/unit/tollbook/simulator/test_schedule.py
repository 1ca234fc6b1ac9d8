"""When events are due: calls merged by time, each in its own order."""

import random
from itertools import count, islice, pairwise

import pytest

from tollbook.simulator.schedule import cues, round_robin


def test_calls_are_merged_by_time():
    due = [(cue.at_s, cue.call, cue.event) for cue in cues([(0.0, 2.0), (0.0, 1.0)], [0.0, 0.5])]

    assert due == [(0.0, 0, 0), (0.5, 1, 0), (1.5, 1, 1), (2.0, 0, 1)]


def test_calls_take_the_recordings_in_turn():
    due = [(cue.call, cue.event) for cue in cues([(0.0,), (0.0, 0.0)], [0.0, 1.0, 2.0])]

    assert due == [(0, 0), (1, 0), (1, 1), (2, 0)]


def test_calls_may_begin_for_ever():
    due = list(islice(cues([(0.0, 0.25)], (number / 10 for number in count())), 1000))

    assert [cue.at_s for cue in due] == sorted(cue.at_s for cue in due)
    assert max(cue.call for cue in due) > 400


@pytest.mark.parametrize("seed", range(20))
def test_order_in_time_and_within_each_call(seed: int):
    rng = random.Random(seed)
    offsets = [tuple(sorted([0.0, *(rng.choice([0.0, 0.1, 0.7, 3.0]) for _ in range(5))])) for _ in range(4)]
    starts = sorted(rng.choice([0.0, 0.3, 1.0, 2.0]) for _ in range(9))

    due = list(cues(offsets, starts))

    assert len(due) == sum(len(offsets[call % 4]) for call in range(9))
    for earlier, later in pairwise(due):
        assert later.at_s >= earlier.at_s - 1e-9
    for call in range(9):
        assert [cue.event for cue in due if cue.call == call] == list(range(len(offsets[call % 4])))


def test_round_robin_takes_one_of_each():
    assert [(cue.call, cue.event) for cue in round_robin([1, 3, 2])] == [
        (0, 0), (1, 0), (2, 0), (1, 1), (2, 1), (1, 2),
    ]  # fmt: skip
