"""The rates of a prefix one after the other: one at a time, and which dates clash."""

import pytest

from tests.integration.rating.imports import DATED, kept, put, spans
from tollbook.errors import DataError, UsageError
from tollbook.store.database import Connection
from tollbook.store.tariffs import tariffs
from tollbook.times import instant

CLASHES = [
    (",", ",", True),
    ("2026-01-01,2026-02-01", "2026-02-01,", False),
    ("2026-01-01,2026-02-01", "2026-01-31,", True),
    (",2026-01-01", "2026-01-01,", False),
    ("2026-01-01,", "2026-01-01,2027-01-01", True),
    ("2026-01-01,", "2025-01-01,", False),
    ("2026-01-01T01:00:00+01:00,", ",2026-01-01", False),
]


@pytest.mark.parametrize(("one", "other", "clash"), CLASHES)
def test_one_prefix_has_one_rate_at_a_time(database: Connection, one: str, other: str, clash: bool) -> None:
    lines = [f"49,1,{one}", f"+49,2,{other}", f"33,2,{other}"]
    header = "prefix,per_min,valid_from,valid_to"
    if clash:
        with pytest.raises(DataError) as caught:
            put(database, "retail", *lines, header=header)
        assert "line 3: outbound prefix '49' is also rated on line 2 for the same time" in str(caught.value)
        assert tariffs.plans(database) == []
    else:
        assert put(database, "retail", *lines, header=header).compared.rates == 3


def test_the_next_rate_of_a_prefix_ends_the_one_before(acme: Connection) -> None:
    """As carriers send them: with the day from which a price holds, and without an end, in any order of the lines."""
    put(acme, "retail", "44,300,2027-03-01,", "44,100,,", "44,200,2027-01-01,2027-02-01", header=DATED)
    assert spans(acme) == [
        ("44", 100, 0, instant("2027-01-01")),
        ("44", 200, instant("2027-01-01"), instant("2027-02-01")),
        ("44", 300, instant("2027-03-01"), None),
    ]


def test_a_change_notice_touches_its_prefixes_alone_from_its_dates_on(acme: Connection) -> None:
    """What a plan says of them before, and of all others, stays: with their ids, and so their old calls."""
    put(acme, "retail", "44,100,,", "49,200,,2028-01-01", "33,300,,", "33,333,2028-01-01,", "39,1,,", header=DATED)
    before = {row[:3] for row in kept(acme)}
    done = put(acme, "retail", "44,110,2027-01-01,", "33,310,2027-06-01,", "34,5,,", header=DATED, update=True)
    assert (done.given, done.compared.rates, done.compared.same, done.plan.version) == (3, 7, 2, 3)
    assert spans(acme) == [
        ("33", 300, 0, instant("2027-06-01")),
        ("33", 310, instant("2027-06-01"), None),
        ("34", 5, 0, None),
        ("39", 1, 0, None),
        ("44", 100, 0, instant("2027-01-01")),
        ("44", 110, instant("2027-01-01"), None),
        ("49", 200, 0, instant("2028-01-01")),
    ]
    untouched = [row for row in kept(acme) if row[1] in ("39", "49") and row[4] is None]
    assert {row[:3] for row in untouched} <= before
    assert not put(acme, "retail", "44,110,2027-01-01,", header=DATED, update=True).compared.changed
    with pytest.raises(UsageError, match="there is no rate plan 'unheard'"):
        put(acme, "unheard", "1,1", update=True)


def test_a_rate_inside_the_time_of_another_is_reported_with_it(database: Connection) -> None:
    """Not with the one before it in time, which was over."""
    lines = ["49,1,2026-01-01,2026-12-31", "49,1,2026-02-01,2026-02-02", "49,1,2026-03-01,2026-03-02"]
    with pytest.raises(DataError) as caught:
        put(database, "retail", *lines, header="prefix,per_min,valid_from,valid_to")
    assert [line.strip() for line in str(caught.value).splitlines()[1:]] == [
        "line 3: outbound prefix '49' is also rated on line 2 for the same time",
        "line 4: outbound prefix '49' is also rated on line 2 for the same time",
    ]


def test_a_prefix_that_is_repeated_ten_thousand_times_is_reported_in_twenty_lines(database: Connection) -> None:
    with pytest.raises(DataError) as caught:
        put(database, "retail", *["49,1"] * 10_000)
    assert str(caught.value).endswith("and 9979 more")
