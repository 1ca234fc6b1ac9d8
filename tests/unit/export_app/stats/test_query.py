"""What `/v1/stats` takes, and what it says to what it does not."""

import pytest
from pydantic import ValidationError

from export_app.stats.query import DEFAULT_WINDOW_MS, MAX_PERIODS, StatsQuery, resolve_query
from export_app.web.errors import ApiError
from export_app.web.parameters import parameter_error

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
    resolved = resolve_query(StatsQuery(), now_ms=NOW, window_start=0)
    assert (resolved.since, resolved.until, resolved.groups) == (NOW - DEFAULT_WINDOW_MS, NOW, ())


def test_what_lies_in_the_archive_or_in_the_future_is_cut_off() -> None:
    """from_ts and until_ts of the answer say so; a window that lies there whole is empty."""
    query = StatsQuery(since=NOW - 20 * DAY, until=NOW + DAY)
    resolved = resolve_query(query, now_ms=NOW, window_start=NOW - 3 * DAY)
    assert (resolved.since, resolved.until) == (NOW - 3 * DAY, NOW)
    archived = resolve_query(StatsQuery(since=5, until=9, group_by="hour"), now_ms=NOW, window_start=NOW)
    assert (archived.since, archived.until, archived.period_starts) == (9, 9, {"hour": []})


def test_the_same_group_twice_is_one_group() -> None:
    assert resolve_query(StatsQuery(group_by="day,day"), now_ms=NOW, window_start=0).groups == ("day",)


def test_hours_and_time_are_bounded() -> None:
    """At the bound it is answered, one beyond it the message says what to ask for instead."""
    begun = NOW - NOW % HOUR
    most = resolve_query(
        StatsQuery(since=begun - MAX_PERIODS * HOUR, until=begun, group_by="hour"), now_ms=NOW, window_start=0
    )
    assert len(most.period_starts["hour"]) == MAX_PERIODS
    with pytest.raises(ApiError, match="gives 1001 groups here, and 1000 are the most: ask for less time"):
        resolve_query(StatsQuery(since=begun - 1001 * HOUR, until=begun, group_by="hour"), now_ms=NOW, window_start=0)
    with pytest.raises(ApiError, match="366 days apart at most"):
        resolve_query(StatsQuery(since=0), now_ms=NOW, window_start=0)
    assert resolve_query(StatsQuery(since=0), now_ms=NOW, window_start=NOW - DAY).since == NOW - DAY
