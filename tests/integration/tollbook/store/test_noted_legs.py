"""What is noted of legs, and legs that talk with those of another call, over batches: any order gives the same rows."""

import itertools
import random
import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import SECOND_US, START_US, call_row, created, ended, legs_of
from tests.integration.tollbook.store.batches import leg, price, table, write
from tests.recorded import SWITCH, recorded_legs
from tests.recorded_details import NAMES, legs_heard, recorded, rows_of
from tollbook.model.details import DETAIL_COLUMNS
from tollbook.model.event import SwitchEvent
from tollbook.model.leg import Leg
from tollbook.store.calls.call_rows import upsert
from tollbook.store.calls.switch_processes import SwitchProcess, note, open_legs
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions

# An attended transfer, queues, voicemail, recordings: what is not stated by the ends of one call's legs alone.
ACROSS = [
    "xfer_attended_by_callee", "queue_answered_agent_hangs_up", "queue_caller_abandons", "vm_message_left",
    "rec_masked", "standby",
]  # fmt: skip
COLUMNS = [name for name in DETAIL_COLUMNS if name != "destination"]


def stored_details(connection: Connection) -> dict[str, dict[str, object]]:
    """The details of every stored row, by call_id."""
    return {row["call_id"]: {name: row[name] for name in COLUMNS} for row in table(connection)}


def wanted_details(legs: list[Leg]) -> dict[str, dict[str, object]]:
    """Those that all legs at once give."""
    return {
        row.call_id: {name: getattr(row.details, name) for name in COLUMNS}
        | {"recordings": list(row.details.recordings) or None, "vars": row.details.vars or None}
        for row in rows_of(legs)
    }


def empty(connection: Connection) -> None:
    connection.execute("TRUNCATE call_cdr, call_leg, archive_outbox")
    connection.commit()


def recording(uid: str = "a", path: str = "/r/a.wav") -> SwitchEvent:
    return SwitchEvent(
        name="RECORD_STOP", uid=uid, created_us=START_US, at_us=START_US + SECOND_US, record_path=path,
        record_completion="success-silence",
    )  # fmt: skip


@settings(max_examples=settings().max_examples // 5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_order_of_batches_gives_the_same_details(database: Connection, data: st.DataObject) -> None:
    """Each event alone or several in a batch, from two calls that were joined by a transfer too."""
    empty(database)
    heard = list(legs_heard(name) if (name := data.draw(st.sampled_from(ACROSS))) != "standby" else recorded_legs(name))
    left = data.draw(st.permutations(heard))
    while left:
        size = data.draw(st.integers(1, 4))
        write(database, left[:size], Partitions())
        left = left[size:]
    assert stored_details(database) == wanted_details(heard)


def test_all_recordings_at_once_and_event_by_event_give_the_same_details(database: Connection) -> None:
    heard = [leg for name in NAMES for leg in legs_heard(name)]
    write(database, heard, partitions := Partitions())
    assert stored_details(database) == wanted_details(heard)
    empty(database)
    random.Random(15).shuffle(heard)
    for begin in range(0, len(heard), 7):
        write(database, heard[begin : begin + 7], partitions)
    assert stored_details(database) == wanted_details(heard)
    assert len(stored_details(database)) == sum(len(recorded(name).rows) for name in NAMES)


def test_whichever_of_two_legs_that_talked_ends_last_the_row_says_who_hung_up(database: Connection) -> None:
    """The root `a` was bridged last with `c`, of the call of `b`, who consulted it and left: that hangs up."""
    consulted = leg("c", 11, parent="b", end_s=60, hangup_disposition="recv_bye", last_bridge_to="a")
    stated = [
        leg("a", end_s=60, hangup_disposition="send_bye", last_bridge_to="c"),
        leg("b", 10, end_s=20, hangup_disposition="send_bye"),
        leg("c", 11, parent="b"),
        consulted,
    ]
    for order in itertools.permutations(stated):
        empty(database)
        for one in order:
            write(database, [one])
        found = {call: details["hung_up_by"] for call, details in stored_details(database).items()}
        assert found == {"a": "callee", "b": "callee"}
    # A late word about the root alone finds the other call's leg again.
    write(database, [leg("d", 30, parent="a", end_s=35)])
    assert stored_details(database)["a"]["hung_up_by"] == "callee"


def test_whichever_of_two_called_legs_that_talk_on_ends_last_both_rows_say_who_hung_up(database: Connection) -> None:
    """The caller connected `b`, whom he called, with `c`, whom he consulted by a second call, and left."""
    stated = [
        leg("a", end_s=20, hangup_disposition="recv_bye"),
        leg("b", 1, parent="a", end_s=60, hangup_disposition="send_bye", last_bridge_to="c"),
        leg("a2", 10, end_s=20, hangup_disposition="recv_bye"),
        leg("c", 11, parent="a2", end_s=60, hangup_disposition="recv_bye", last_bridge_to="b"),
    ]
    for order in itertools.permutations(stated):
        empty(database)
        for one in order:
            write(database, [one])
        found = {call: details["hung_up_by"] for call, details in stored_details(database).items()}
        assert found == {"a": "callee", "a2": "callee"}
    write(database, [leg("d", 12, parent="a", end_s=15)])
    assert stored_details(database)["a"]["hung_up_by"] == "callee"


def test_the_end_of_a_leg_makes_no_row_anew_that_was_pruned(database: Connection) -> None:
    """Of a call that is in the archive alone, whose legs are still kept, a late end of another call says nothing."""
    write(database, [leg("a", end_s=60, hangup_disposition="send_bye", last_bridge_to="c")])
    database.execute("DELETE FROM call_cdr")
    database.commit()
    write(database, [leg("c", 11, end_s=60, hangup_disposition="recv_bye", last_bridge_to="a")])
    assert [row["call_id"] for row in table(database)] == ["c"]


def test_a_pruned_row_is_not_made_anew_by_a_young_leg_of_an_old_call(database: Connection) -> None:
    """That batch reads its legs twice: it learns only from the first reading that prune must be kept out."""
    end_s = int(time.time()) - START_US // SECOND_US - 60
    write(database, [leg("a", end_s=end_s, hangup_disposition="send_bye", last_bridge_to="c")])
    database.execute("DELETE FROM call_cdr")
    database.commit()
    write(database, [leg("b")])
    consulted = leg("c", end_s - 60, parent="b", end_s=end_s, hangup_disposition="recv_bye", last_bridge_to="a")
    write(database, [consulted])
    assert [row["call_id"] for row in table(database)] == ["b"]


def test_what_is_noted_alone_makes_no_row_and_is_not_up(database: Connection) -> None:
    (noted,) = legs_of(recording(), switch=SWITCH)
    write(database, [noted])
    note(database, [SwitchProcess(core="", address="switch", switch=SWITCH, sequence=1, seen_us=START_US)])
    assert table(database) == []
    assert open_legs(database, "switch") == []
    ((ended_,),) = database.execute("SELECT ended FROM call_leg").fetchall()
    assert ended_ is True


def test_what_is_noted_of_a_root_hides_no_leg_that_waits_for_it(database: Connection) -> None:
    """A child is heard first, and filed under the id of its root; then a note of that root; then the root itself."""
    root, child = leg("a", end_s=60), leg("b", 1, parent="a", end_s=60)
    for heard in ([child], legs_of(recording(), switch=SWITCH), [root]):
        write(database, heard)
    (row,) = table(database)
    assert (row["call_id"], row["start_ts"], row["recordings"]) == ("a", START_US // 1000, ["/r/a.wav"])


def test_what_was_noted_first_is_kept_for_the_leg(database: Connection) -> None:
    """The leg is up once its creation is heard, and its row has the recording at the end."""
    begun = created("a")
    events = [recording(), begun, ended(begun, answered_s=1, hangup_s=60), recording(path="/r/b.wav")]
    (first, create, end, later) = legs_of(*events, switch=SWITCH)
    write(database, [first])
    write(database, [create])
    ((up,),) = database.execute("SELECT NOT ended FROM call_leg").fetchall()
    assert up is True
    write(database, [end])
    assert stored_details(database)["a"]["recordings"] == ["/r/a.wav"]
    write(database, [later])
    (row,) = table(database)
    assert row["recordings"] == ["/r/a.wav", "/r/b.wav"]
    assert row["revision"] == 2


def test_a_row_whose_legs_are_gone_stays_when_something_is_noted_of_them(database: Connection) -> None:
    """The row of a restored call has no legs: the note is kept, and the row is not taken for the note's."""
    Partitions().ensure(database, call_days=[START_US // (86_400 * SECOND_US)], leg_days=())
    row = call_row("a", start_ts=START_US // 1000, switch=SWITCH)
    upsert(database, [(row, price(row))])
    database.commit()
    for path in ("/r/a.wav", "/r/b.wav"):
        write(database, legs_of(recording(path=path), switch=SWITCH))
    (stored,) = table(database)
    assert (stored["call_id"], stored["recordings"], stored["revision"]) == ("a", None, 1)


def test_a_row_outlives_the_legs_beside_which_something_was_noted(database: Connection) -> None:
    """The legs of a call are pruned before a note of its caller that names no creation: the next note takes no row."""

    def connected(after_s: int) -> list[Leg]:
        return legs_of(
            SwitchEvent(
                name="CUSTOM", subclass="callcenter::info", cc_action="bridge-agent-start", uid="agent",
                created_us=START_US, cc_agent_type="uuid-standby", queue_member="a",
                at_us=START_US + after_s * SECOND_US,
            ),
            switch=SWITCH,
        )  # fmt: skip

    write(database, [leg("a", end_s=60), *connected(10)])
    database.execute("DELETE FROM call_leg WHERE created_us = %s", (START_US,))
    database.commit()
    ((noted,),) = database.execute("SELECT call_id FROM call_leg").fetchall()
    assert noted == "a"
    write(database, connected(20))
    assert [row["call_id"] for row in table(database)] == ["a"]
