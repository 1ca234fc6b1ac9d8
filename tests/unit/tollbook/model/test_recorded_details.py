"""The details of real calls, against what SIP messages, packets and files on disk say of them."""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esl_listener.decoder import Decoder
from maintenance.recover.json_cdr import leg_of_file
from tests.paths import DETAILS
from tests.recorded import SWITCH
from tests.recorded_details import NAMES, cdr_paths, legs_heard, recorded, row_values, rows_of, wrong_details
from tollbook.esl.framing import Framer
from tollbook.model.details import NO_DETAILS
from tollbook.model.event import header_names
from tollbook.model.leg import leg_of, merge_all
from tollbook.simulator.freshen import fresh
from tollbook.simulator.recording import load

# How often a hold was resumed, where there was one.
HOLDS = {"hold_twice_by_internal": 2}
# What a CDR file does not say: nothing in it names a recording, a message, or the events of a queue.
ONLY_HEARD = {"recordings": [], "voicemail": None}
WHOLE_SECONDS_MS = 1000


def test_there_are_calls_of_every_kind() -> None:
    assert len(NAMES) == 72
    stated = [details for name in NAMES for details in recorded(name).details.values()]
    assert len(stated) == 75
    for field in stated[0]:
        assert sum(details[field] not in (None, [], {}) for details in stated) > 0, field


@pytest.mark.parametrize("form", ["plain", "json", "tolerant"])
@pytest.mark.parametrize("name", NAMES)
def test_a_recording_gives_its_rows_and_details(name: str, form: str) -> None:
    """Delays to 60 ms, hold to 0.3 s for each time that it was resumed, everything else exactly; and the columns."""
    expected = recorded(name)
    rows = rows_of(legs_heard(name, form))
    assert [row_values(row, like) for row, like in zip(rows, expected.rows, strict=True)] == expected.rows
    for row in rows:
        assert wrong_details(row, expected.details[row.call_id], holds=HOLDS.get(name, 1)) == {}


@given(data=st.data())
def test_any_order_and_duplicates_give_the_same_details(data: st.DataObject) -> None:
    heard = legs_heard(data.draw(st.sampled_from(NAMES)))
    rows = rows_of(heard)
    again = data.draw(st.lists(st.sampled_from(heard), max_size=4))
    assert rows_of(data.draw(st.permutations([*heard, *again]))) == rows


@given(seed=st.integers(0, 2**32))
def test_all_calls_at_once_give_the_same_details(seed: int) -> None:
    """No leg of one call says anything of another one that it was not bridged with."""
    heard = [leg for name in NAMES for leg in legs_heard(name)]
    random.Random(seed).shuffle(heard)
    rows = {row.call_id: row for row in rows_of(heard)}
    for name in NAMES:
        for row in rows_of(legs_heard(name)):
            assert rows[row.call_id] == row


@pytest.mark.parametrize("name", NAMES)
def test_no_column_depends_on_what_is_noted(name: str) -> None:
    """Without the events of recordings, queues and voicemail, which an older switch may not send, only details lack."""
    expected = recorded(name)
    heard = [leg for leg in legs_heard(name) if leg.is_known]
    rows = rows_of(heard)
    assert [row_values(row, like) for row, like in zip(rows, expected.rows, strict=True)] == expected.rows


@pytest.mark.parametrize("name", NAMES)
def test_what_is_noted_makes_no_row_of_its_own(name: str) -> None:
    assert rows_of(leg for leg in legs_heard(name) if not leg.is_known) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_call_that_is_up_has_no_details(name: str) -> None:
    heard = [leg for leg in legs_heard(name) if not (leg.end and leg.end.parent is None)]
    assert all(row.details == NO_DETAILS for row in rows_of(heard) if row.end_ts is None)


@pytest.mark.parametrize("name", NAMES)
def test_cdr_files_alone_give_what_they_can_tell(name: str) -> None:
    """All but recordings and messages; the wait in a queue in whole seconds."""
    expected = recorded(name)
    headers = header_names(variables_kept=expected.variables)
    legs = [leg_of_file(path.read_bytes(), headers) for path in cdr_paths(name)]
    for row in rows_of(legs):
        truth: dict[str, Any] = expected.details[row.call_id] | ONLY_HEARD
        wait_ms = truth.pop("wait_ms")
        assert wrong_details(row, truth, holds=HOLDS.get(name, 1)) == {}
        has = row.details.wait_ms
        assert (has is None) == (wait_ms is None)
        assert has is None or abs(has - wait_ms) <= WHOLE_SECONDS_MS


@pytest.mark.parametrize("name", NAMES)
def test_a_file_adds_nothing_to_what_was_heard(name: str) -> None:
    """`recover` beside a listener: the event is believed, and the row stays as it is."""
    headers = header_names(variables_kept=recorded(name).variables)
    files = [leg_of_file(path.read_bytes(), headers) for path in cdr_paths(name)]
    assert rows_of([*files, *legs_heard(name)]) == rows_of(legs_heard(name))
    assert len(merge_all(files)) == len(files)


@pytest.mark.parametrize(
    "name", ["hold_twice_by_internal", "queue_caller_abandons", "xfer_attended_by_callee", "vm_check"]
)
def test_a_fresh_copy_of_a_recording_has_the_same_details(name: str) -> None:
    """The simulated switch gives each copy ids and times of its own: those inside of values, too."""
    now_us = 1_900_000_000_000_000
    decoder = Decoder("accountcode", "cdr_parent")
    copy = fresh(load(DETAILS / name), now_us)
    frames = Framer().feed(b"".join(event.json_frame(number) for number, event in enumerate(copy.events)))
    legs = [leg for frame in frames if (leg := leg_of(decoder.json(frame.body), SWITCH))]
    made = [msgspec.structs.replace(row.details, sip_call_id=None) for row in rows_of(legs)]
    original = [msgspec.structs.replace(row.details, sip_call_id=None) for row in rows_of(legs_heard(name))]
    assert made == original
