"""What `/v1/stats` takes, and what it says to what it does not."""

import pytest
from pydantic import ValidationError

from export_app.stats.query import MAX_PERIODS, StatsQuery, resolve_query
from export_app.web.errors import ApiError
from export_app.web.parameters import parameter_error
from export_app.web.window import DEFAULT_WINDOW_MS

NOW = 1_790_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"group_by": "hours"}, "group_by cannot be 'hours': did you mean hour?"),
        ({"group_by": "zebra"}, "group_by cannot be 'zebra': there are: hour, day, month, account,"),
        ({"group_by": "day,"}, "group_by cannot be '': there are: hour"),
        ({"group_by": "day,queue,agent"}, "group_by takes two at most, such as day,disposition"),
        ({"tz": "Europe/Berlni"}, "Europe/Berlin: did you mean Europe/Berlin?"),
        ({"tz": "../../etc/passwd"}, "tz must be a name of the IANA time zone database, such as Europe/Berlin"),
        ({"tz": "+02:00"}, "tz must be a name of the IANA time zone database, such as Europe/Berlin"),
        ({"direction": "out"}, "direction must be 'inbound', 'outbound' or 'internal'"),
        ({"queue_id": "a\0b"}, "queue_id must not contain a zero byte"),
        ({"agent_id": "x" * 256}, "agent_id must have at most 255 characters"),
        ({"prefix_digits": "0"}, "prefix_digits must be a whole number from 1 to 15"),
        ({"prefix_digits": "16"}, "prefix_digits must be a whole number from 1 to 15"),
        ({"sl_s": "-1"}, "sl_s must be a number of seconds from 0 to 86400"),
        ({"since": "yesterday"}, "since must be a time in whole milliseconds since 1970"),
        ({"since": "5", "until": "4"}, "since must not be later than until: swap them"),
        ({"groupby": "day"}, "'groupby' is not a parameter here: did you mean group_by?"),
        ({"account_id": "other"}, "'account_id' is not a parameter here"),
    ],
)
def test_what_is_wrong_is_said_with_what_may_be(parameters: dict[str, str], said: str) -> None:
    """Each message names its parameter."""
    with pytest.raises(ValidationError) as caught:
        StatsQuery.model_validate(parameters)
    assert said in parameter_error(caught.value).message


def test_left_out_is_the_last_30_days() -> None:
    resolved = resolve_query(StatsQuery(), now_ms=NOW)
    assert (resolved.since, resolved.until, resolved.groups) == (NOW - DEFAULT_WINDOW_MS, NOW, ())


def test_what_lies_in_the_future_is_cut_off() -> None:
    """until_ts of the answer says so; a window that lies there whole is empty."""
    resolved = resolve_query(StatsQuery(since=5, until=NOW + DAY), now_ms=NOW)
    assert (resolved.since, resolved.until) == (5, NOW)
    later = resolve_query(StatsQuery(since=NOW + 5, until=NOW + 9, group_by="hour"), now_ms=NOW)
    assert (later.since, later.until, later.period_starts) == (NOW, NOW, {"hour": []})


def test_the_same_group_twice_is_one_group() -> None:
    assert resolve_query(StatsQuery(group_by="day,day"), now_ms=NOW).groups == ("day",)


def test_hours_are_bounded_and_time_is_not() -> None:
    """At the bound it is answered, one beyond it the message says what to ask for instead."""
    begun = NOW - NOW % HOUR
    most = resolve_query(StatsQuery(since=begun - MAX_PERIODS * HOUR, until=begun, group_by="hour"), now_ms=NOW)
    assert len(most.period_starts["hour"]) == MAX_PERIODS
    with pytest.raises(ApiError, match=r"group_by=hour gives more than 1000 groups here, .* or group by day"):
        resolve_query(StatsQuery(since=begun - 1001 * HOUR, until=begun, group_by="hour"), now_ms=NOW)
    with pytest.raises(ApiError, match="ask for less time, or group by month"):
        resolve_query(StatsQuery(since=0, group_by="day"), now_ms=NOW)
    assert len(resolve_query(StatsQuery(since=0, group_by="month"), now_ms=NOW).period_starts["month"]) == 681


@pytest.mark.parametrize(
    ("parameters", "about_queues"),
    [
        ({}, False),
        ({"group_by": "day,prefix"}, False),
        ({"group_by": "day,queue"}, True),
        ({"group_by": "agent"}, True),
        ({"queue_id": "support"}, True),
        ({"agent_id": "ann", "group_by": "hour"}, True),
    ],
)
def test_a_question_is_about_queues_if_it_names_one(parameters: dict[str, str], about_queues: bool) -> None:
    assert StatsQuery.model_validate(parameters).about_queues is about_queues
