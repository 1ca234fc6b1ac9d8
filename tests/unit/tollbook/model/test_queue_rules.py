"""The rules of waits and talks in queues where no recording shows them: several visits, standby agents, lost events."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import SECOND_US, START_US, created, ended
from tests.folded import rows
from tests.recorded import recorded_legs
from tests.recorded_details import rows_of
from tests.unit.tollbook.model.made_calls import desk, details
from tests.unit.tollbook.model.test_notes import custom
from tollbook.model.event import SwitchEvent


def queue(action: str, at_s: float) -> SwitchEvent:
    return custom("callcenter::info", cc_action=action, at_s=at_s)


def test_of_several_visits_the_one_that_an_agent_ended_last_counts() -> None:
    root = created()
    visits = [
        queue("member-queue-start", 5), queue("member-queue-end", 8),
        queue("member-queue-start", 10), queue("bridge-agent-start", 14), queue("member-queue-end", 30),
        queue("member-queue-start", 40), queue("member-queue-end", 55),
    ]  # fmt: skip
    call = [root, ended(root, answered_s=1, hangup_s=60)]
    assert details(*call, *visits).wait_ms == 4000
    assert details(*call, *visits[5:]).wait_ms == 15_000  # no agent: the last visit
    assert details(*call, *visits[:2], *visits[5:]).wait_ms == 15_000
    assert details(*call, queue("member-queue-start", 50), queue("member-queue-end", 60.1)).wait_ms == 10_000


@pytest.mark.parametrize("lost", ["member-queue-start", "member-queue-end"])
def test_without_one_of_the_events_the_seconds_of_the_switch_count(lost: str) -> None:
    root, second = created(), START_US // SECOND_US
    heard = [
        event for event in (queue("member-queue-start", 5), queue("member-queue-end", 8)) if event.cc_action != lost
    ]
    end = ended(root, answered_s=1, hangup_s=60, cc_joined_s=second + 5, cc_canceled_s=second + 9)
    assert details(root, end, *heard).wait_ms == 4000
    without_seconds = details(root, ended(root, answered_s=1, hangup_s=60), *heard).wait_ms
    assert without_seconds == (55_000 if lost == "member-queue-end" else None)


@given(data=st.data())
def test_the_event_of_a_standby_agent_ends_the_wait_of_the_caller_whom_it_names(data: st.DataObject) -> None:
    """The agent's leg is a call of its own, which has waited nowhere; one caller is served, another gives up."""
    heard = data.draw(st.permutations(recorded_legs("standby")))
    assert [row.details.wait_ms for row in rows_of(heard)] == [None, 100, 6019]


def test_such_an_event_belongs_to_the_life_of_the_id_in_which_it_falls() -> None:
    """An id that is used again: each life has the agent who was connected while it was up."""
    first, again = created(), created(at_s=100)
    calls = [first, ended(first, answered_s=1, hangup_s=60), again, ended(again, answered_s=101, hangup_s=160)]
    joined = [
        queue("member-queue-start", 5),
        msgspec.structs.replace(queue("member-queue-start", 105), created_us=again.created_us),
    ]
    of_agent = {"cc_action": "bridge-agent-start", "cc_agent_type": "uuid-standby", "queue_member": "a"}
    standby = [custom("callcenter::info", at_s=at_s, **of_agent) for at_s in (9, 107)]
    standby = [msgspec.structs.replace(event, uid="agent", created_us=START_US - 1) for event in standby]
    for events in ([*calls, *joined, *standby], [*standby, *reversed(calls), *joined]):
        assert [row.details.wait_ms for row in rows(*events)] == [4000, 2000]
    # Before any life of that id it is of none.
    assert rows(*standby) == []


def test_without_its_event_a_standby_agent_ends_the_wait_by_the_seconds() -> None:
    root, second = created(), START_US // SECOND_US
    end = ended(root, answered_s=1, hangup_s=60, cc_joined_s=second + 5, cc_answered_s=second + 7)
    assert details(root, end, queue("member-queue-start", 5.5), queue("member-queue-end", 60.1)).wait_ms == 2000


def test_an_agents_leg_has_no_wait_of_its_own() -> None:
    """It carries the seconds of the caller whom it served."""
    agent, second = created(cc_side="agent"), START_US // SECOND_US
    assert details(agent, ended(agent, hangup_s=60, cc_joined_s=second + 5, cc_answered_s=second + 7)).wait_ms is None


def test_the_talk_is_the_last_bridged_agents_own() -> None:
    """Neither the announcement before the queue, nor the wait, nor an agent who did not take the call counts."""
    root = created()
    of_queue = {"cc_side": "agent", "cc_agent_type": "callback", "cc_member": "a"}
    agents = [created(f"agent{number}", **of_queue) for number in (1, 2, 3)]
    ends = [
        ended(agents[0], answered_s=5, hangup_s=20, cc_agent_bridged="true"),
        ended(agents[1], answered_s=25, hangup_s=55.5, cc_agent_bridged="true"),
        ended(agents[2], answered_s=0, hangup_s=58),
    ]
    assert details(root, ended(root, answered_s=1, hangup_s=60), *agents, *ends).talk_ms == 30_500
    assert details(root, ended(root, answered_s=1, hangup_s=60), agents[2], ends[2]).talk_ms is None
    back = ended(agents[1], answered_s=25, hangup_s=24, cc_agent_bridged="true")
    assert details(root, ended(root, answered_s=1, hangup_s=60), agents[1], back).talk_ms == 0


def test_the_talk_of_a_standby_agent_begins_with_its_event_or_its_second() -> None:
    root, second = created(cc_queue="support", cc_agent="sb"), START_US // SECOND_US
    served = {"cc_queue": "support", "cc_agent": "sb", "cc_agent_bridged": "true"}
    end = ended(root, answered_s=1, hangup_s=60.25, **served)
    assert details(root, end, queue("member-queue-start", 5), queue("bridge-agent-start", 7)).talk_ms == 53_250
    at_60_s = 60 - START_US % SECOND_US / SECOND_US
    by_seconds = ended(root, answered_s=1, hangup_s=at_60_s, cc_joined_s=second + 5, cc_answered_s=second + 7, **served)
    assert details(root, by_seconds).talk_ms == 53_000
    assert details(root, end).talk_ms is None


@pytest.mark.parametrize(
    ("after", "talk_ms"),
    [
        ([("member-queue-end", 20)], 13_000),
        ([("member-queue-end", 60.35)], 53_250),
        ([("member-queue-end", 7)], 0),
        ([("member-queue-end", 20), ("member-queue-start", 22), ("member-queue-end", 60.35)], 13_000),
        ([("member-queue-start", 22), ("member-queue-end", 60.35)], 15_000),
        ([("member-queue-end", 20), ("member-queue-start", 22), ("bridge-agent-start", 30)], 30_250),
    ],
    ids=["transfer", "hangup", "at once", "second queue", "second queue alone", "second agent"],
)
def test_the_talk_of_a_standby_agent_ends_as_the_caller_leaves_the_agent(
    after: list[tuple[str, float]], talk_ms: int
) -> None:
    """The agent transfers the caller, who talks on or waits again: none of that is the agent's talk.

    The queue notices a hangup late, as in the recording `standby`, and the end of a visit before the talk ends nothing.
    """
    root = created(cc_queue="support", cc_agent="sb")
    served = {"cc_queue": "support", "cc_agent": "sb", "cc_agent_bridged": "true"}
    end = ended(root, answered_s=1, hangup_s=60.25, **served)
    before = [("member-queue-start", 2), ("member-queue-end", 4), ("member-queue-start", 5), ("bridge-agent-start", 7)]
    assert details(root, end, *(queue(*heard) for heard in before + after)).talk_ms == talk_ms


@pytest.mark.parametrize(
    ("joined_s", "heard", "talk_ms"),
    [
        (5, [], 53_000),
        (5, [("member-queue-end", 20)], 13_123),
        (22, [], 15_000),
        (7, [("member-queue-start", 7.5)], 53_000),
    ],
    ids=["hangup", "transfer", "second queue", "within the second"],
)
def test_without_its_event_too_the_talk_of_a_standby_agent_ends_there(
    joined_s: int, heard: list[tuple[str, float]], talk_ms: int
) -> None:
    """By the switch's whole seconds, of which START_US is the 123rd thousandth: those of the last visit are kept."""
    root, second = created(cc_queue="support", cc_agent="sb"), START_US // SECOND_US
    seconds = {"cc_joined_s": second + joined_s, "cc_answered_s": second + 7}
    served = {"cc_queue": "support", "cc_agent": "sb", "cc_agent_bridged": "true"}
    end = ended(root, answered_s=1, hangup_s=60 - START_US % SECOND_US / SECOND_US, **served, **seconds)
    assert details(root, end, *(queue(*event) for event in heard)).talk_ms == talk_ms


@pytest.mark.parametrize("how", ["blind", "attended", "second queue", "fifo"])
def test_nothing_after_the_agents_own_leg_is_talk(how: str) -> None:
    """A transfer ends the leg of an agent that the queue called: what the caller does then is no talk of that agent."""
    root = created()
    agent = created("agent", at_s=2, cc_side="agent", cc_agent_type="callback", cc_member="a", cc_queue="support")
    end, facts = {"cc_agent_bridged": "true", "cc_agent": "ann"}, {}
    other: list[SwitchEvent] = []
    heard: list[SwitchEvent] = []
    if how == "blind":
        after = desk("far")
        other = [after, ended(after, answered_s=22, hangup_s=60)]
    elif how == "attended":  # the agent consults by a call of its own while the caller is on hold
        consulting = created("own", at_s=10, user="1001")
        far = desk("far", parent="own")
        other = [consulting, ended(consulting, answered_s=11, hangup_s=20), far, ended(far, answered_s=12, hangup_s=60)]
    elif how == "second queue":
        heard = [queue("member-queue-end", 20), queue("member-queue-start", 22), queue("member-queue-end", 60)]
        facts = {"cc_queue": "second"}
    else:
        agent = created("agent", at_s=2, channel_direction="outbound", fifo_bridge="a", dialed_user="ann")
        end, facts = {}, {"last_app": "fifo", "last_arg": "sales in"}
    call = [root, ended(root, answered_s=1, hangup_s=60, **facts)]
    agents = [agent, ended(agent, answered_s=5, hangup_s=20, **end)]
    found = {row.call_id: row for row in rows(*call, *agents, *other, *heard)}["a"]
    assert (found.agent_id, found.details.talk_ms) == ("ann", 15_000)
