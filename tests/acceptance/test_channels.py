"""What happened while nobody listened: calls that are up are found, and a restarted switch's calls end as lost."""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from esl_listener.open_legs import OPEN_LEGS_AT_ONCE
from tests.acceptance.heartbeats import wait_for_heartbeats
from tests.commands import Start
from tests.paths import CALLS
from tests.waiting import wait_until
from tollbook.simulator.freshen import CallTemplate
from tollbook.simulator.recording import Recording, load
from tollbook.simulator.thread import SwitchThread
from tollbook.times import US_PER_SECOND


def rows(url: str) -> list[dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return connection.execute("SELECT * FROM call_cdr ORDER BY start_ts, call_id").fetchall()


def wait_for(url: str, condition: Callable[[list[dict[str, Any]]], bool], timeout_s: float = 15) -> None:
    wait_until(lambda: condition(rows(url)), timeout_s, every_s=0.05, what=lambda: rows(url))


def until_first(recording: Recording, name: bytes) -> int:
    """Return the index of the first event of that name."""
    return next(index for index, event in enumerate(recording.events) if event.name == name)


def newest_sign_us(url: str) -> int:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT max(seen_us) FROM switch_process").fetchone()[0]


def wanted(name: str) -> dict[str, Any]:
    (row,) = json.loads((CALLS / name / "rows.json").read_text())
    return row


def test_calls_that_are_up_get_their_rows_and_end_right(start: Start, database_url: str) -> None:
    """Started in the middle of a call, the listener asks the switch; times and numbers are exact from the first."""
    recording, want = load(CALLS / "outbound_answered"), wanted("outbound_answered")
    end = until_first(recording, b"CHANNEL_HANGUP_COMPLETE")
    with SwitchThread() as switch:
        switch.emit(recording, range(end))
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(20)
        wait_for(database_url, lambda found: len(found) == 1 and found[0]["answer_ts"] is not None)
        (up,) = rows(database_url)
        for column in ("call_id", "account_id", "direction", "from_num", "to_num", "start_ts", "answer_ts"):
            assert up[column] == want[column], column
        assert up["end_ts"] is None
        switch.emit(recording, range(end, len(recording.events)))
        wait_for(database_url, lambda found: found[0]["end_ts"] is not None)
        assert listener.stop() == 0
    (row,) = rows(database_url)
    assert {column: row[column] for column in want if column != "parts"} == {
        column: value for column, value in want.items() if column != "parts"
    }
    assert [[part["direction"], part["number"], part["seconds"]] for part in row["parts"]] == want["parts"]


def test_a_restarted_switch_s_calls_end_as_lost_at_its_last_sign_of_life(start: Start, database_url: str) -> None:
    """Calls cut off by a kill send no hangup: they get an estimated end, are marked so, and are priced until then."""
    recording = load(CALLS / "outbound_answered")
    end = until_first(recording, b"CHANNEL_HANGUP_COMPLETE")
    with SwitchThread(heartbeat_s=0.5) as switch:
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(20)
        call = CallTemplate(recording).fresh(time.time_ns() // 1000, core_uuid=switch.core_uuid)
        (want,) = call.rows
        switch.emit(call, range(end))
        wait_for(database_url, lambda found: len(found) == 1 and found[0]["answer_ts"] is not None)
        seen_ms = wait_for_heartbeats(database_url, 2) // 1000
        died_ms = time.time_ns() // 1_000_000
        switch.restart()
        switch.wait_for_subscriber(20)
        wait_for(database_url, lambda found: found[0]["end_ts"] is not None)
        assert listener.stop() == 0, listener.output
    (row,) = rows(database_url)
    assert (row["disposition"], row["estimated"], row["answer_ts"]) == ("lost", True, want["answer_ts"])
    assert seen_ms <= row["end_ts"] <= died_ms + 100
    assert "the switch restarted, a leg is lost" in listener.output


def test_a_killed_switch_s_calls_end_at_the_newest_event_that_was_heard(start: Start, database_url: str) -> None:
    """Of any call: a heartbeat comes every 20 s, and what was talked since the last one was talked all the same."""
    recording = load(CALLS / "outbound_answered")
    end = until_first(recording, b"CHANNEL_HANGUP_COMPLETE")
    with SwitchThread(heartbeat_s=60) as switch:
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(20)
        template = CallTemplate(recording)
        cut_off, whole = (
            template.fresh(time.time_ns() // 1000 + ahead_s * US_PER_SECOND, core_uuid=switch.core_uuid)
            for ahead_s in (0, 30)
        )
        switch.emit(cut_off, range(end))
        switch.emit(whole, range(len(recording.events)))
        wait_for(database_url, lambda found: len(found) == 2 and found[1]["end_ts"] is not None)
        last = [heard.event for heard in recording.events if heard.name == b"CHANNEL_HANGUP_COMPLETE"][-1]
        last_us = int(last.get(b"Event-Date-Timestamp") or 0) + whole.shift_s * US_PER_SECOND
        wait_until(lambda: newest_sign_us(database_url) == last_us)
        switch.restart()
        switch.wait_for_subscriber(20)
        switch.beat()  # the first that the new process says
        wait_for(database_url, lambda found: found[0]["end_ts"] is not None)
        assert listener.stop() == 0, listener.output
    row, _ = rows(database_url)
    assert (row["disposition"], row["estimated"], row["end_ts"]) == ("lost", True, last_us // 1000)


def test_a_switch_that_lists_nothing_closes_nothing(start: Start, database_url: str) -> None:
    """A connection that was cut is no restart: the calls that were up are still up."""
    recording = load(CALLS / "outbound_answered")
    end = until_first(recording, b"CHANNEL_HANGUP_COMPLETE")
    with SwitchThread(heartbeat_s=0.3) as switch:
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(20)
        switch.emit(recording, range(end))
        wait_for(database_url, lambda found: len(found) == 1)
        switch.cut_connections()
        listener.wait_for("closed the connection")
        # A call that only a comparison can find shows that one was made.
        unheard = CallTemplate(recording).fresh(time.time_ns() // 1000, core_uuid=switch.core_uuid)
        switch.happen(unheard, range(end))
        wait_for(database_url, lambda found: len(found) == 2, timeout_s=30)
        assert [row["end_ts"] for row in rows(database_url)] == [None, None]
        switch.emit(recording, range(end, len(recording.events)))
        wait_for(database_url, lambda found: any(row["end_ts"] for row in found))
        assert listener.stop() == 0
    (row,) = (row for row in rows(database_url) if row["end_ts"])
    assert (row["call_id"], row["revision"]) == (wanted("outbound_answered")["call_id"], 1)


def test_an_id_used_again_while_its_old_life_is_held_open(start: Start, database_url: str) -> None:
    """Neither the old call's hangup nor the new call is heard: comparing channels tells the two calls apart."""
    recording = load(CALLS / "same_call_id_twice")
    ends = [index for index, event in enumerate(recording.events) if event.name == b"CHANNEL_HANGUP_COMPLETE"]
    with SwitchThread(heartbeat_s=0.3) as switch:
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(20)
        switch.beat()  # from here on the listener compares its own count with the switch's
        call = CallTemplate(recording).fresh(time.time_ns() // 1000, core_uuid=switch.core_uuid)
        old, new = call.rows
        assert old["call_id"] == new["call_id"]
        switch.emit(call, range(ends[0]))
        wait_for(database_url, lambda found: len(found) == 1 and found[0]["answer_ts"] is not None)
        switch.happen(call, range(ends[0], ends[1]))
        wait_for(database_url, lambda found: len(found) == 2 and found[0]["end_ts"] is not None, timeout_s=30)
        switch.emit(call, range(ends[1], len(recording.events)))
        wait_for(database_url, lambda found: found[1]["end_ts"] is not None)
        assert listener.stop() == 0, listener.output
    estimated, exact = rows(database_url)
    assert (estimated["disposition"], estimated["estimated"]) == ("lost", True)
    for column in ("call_id", "account_id", "from_num", "to_num", "start_ts", "answer_ts"):
        assert estimated[column] == old[column], column
    assert old["answer_ts"] <= estimated["end_ts"] <= new["start_ts"]
    assert {column: exact[column] for column in new if column != "parts"} == {
        column: value for column, value in new.items() if column != "parts"
    }
    assert exact["estimated"] is False
    assert "its id is another leg's now" in listener.output


@pytest.mark.soak  # a minute; the rule is in tests/unit/esl_listener/test_reconcile.py
def test_a_zombie_is_denied_twice_a_minute_apart_and_ends_where_it_was_last_seen(
    start: Start, database_url: str
) -> None:
    """Channels listed for ever that no longer exist: asked about again after a real minute, and ended by estimate."""
    recording = load(CALLS / "outbound_answered")
    end = until_first(recording, b"CHANNEL_HANGUP_COMPLETE")
    template = CallTemplate(recording)
    with SwitchThread(heartbeat_s=0.3) as switch:
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(20)
        # So long ago that all its events so far are: what the switch reports from now on is newer.
        zombie = template.fresh(time.time_ns() // 1000 - 10 * US_PER_SECOND, core_uuid=switch.core_uuid)
        (want,) = zombie.rows
        switch.emit(zombie, range(end))
        wait_for(database_url, lambda found: len(found) == 1 and found[0]["answer_ts"] is not None)
        wait_for_heartbeats(database_url, 2)  # the sessions that it counts from now on are compared with ours
        seen_ms = time.time_ns() // 1_000_000
        # A call that only a comparison can find shows that one was made; the other call was still listed then.
        living = template.fresh(time.time_ns() // 1000, core_uuid=switch.core_uuid)
        switch.happen(living, range(end))
        wait_for(database_url, lambda found: len(found) == 2, timeout_s=30)
        gone_ms = time.time_ns() // 1_000_000
        for uid in {event.unique_id for event in zombie.events if event.unique_id}:
            switch.make_zombie(uid.decode())
        switch.cut_connections()
        switch.wait_for_subscriber(20)
        wait_for(database_url, lambda found: any(row["end_ts"] for row in found), timeout_s=120)
        switch.emit(living, range(end, len(recording.events)))
        wait_for(database_url, lambda found: all(row["end_ts"] for row in found))
        assert listener.stop() == 0, listener.output
    lost, alive = sorted(rows(database_url), key=lambda row: row["call_id"] != want["call_id"])
    for column in ("call_id", "account_id", "direction", "from_num", "to_num", "start_ts", "answer_ts"):
        assert lost[column] == want[column], column
    assert (lost["disposition"], lost["estimated"], alive["estimated"]) == ("lost", True, False)
    assert seen_ms - 500 <= lost["end_ts"] <= gone_ms
    assert listener.output.count("a leg is gone without an end") == 2


def test_many_switches_look_with_few_connections(start: Start, database_url: str) -> None:
    """Switches that are connected at the same moment ask PostgreSQL in turn, a few at a time."""
    with ExitStack() as stack, psycopg.connect(database_url) as holding:
        switches = [stack.enter_context(SwitchThread(switch_name=f"fs{number}")) for number in range(12)]
        holding.execute("LOCK TABLE call_leg")  # so that whoever asks is seen to wait
        listener = start("listen", esl=",".join(switch.url for switch in switches))
        for switch in switches:
            switch.wait_for_subscriber(20)
        asking = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tollbook channels'"
        seen: list[int] = []
        with psycopg.connect(database_url, autocommit=True) as watching:
            wait_until(lambda: seen.append(watching.execute(asking).fetchone()[0]) or len(seen) > 30, every_s=0.05)
        holding.rollback()
        listener.end()
    assert max(seen) == OPEN_LEGS_AT_ONCE
