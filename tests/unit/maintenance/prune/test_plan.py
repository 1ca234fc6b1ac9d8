"""Which days are dropped, and what is said of a day that must stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintenance.prune.plan import MAX_MOVED, VerifiedDay, overdue_days, overdue_leg_days, verify_day
from tollbook.errors import ArchiveError, DataError
from tollbook.model.call_key import CallKey
from tollbook.model.totals import AccountDifference, Totals, differing_accounts
from tollbook.store.days.totals import DayTotals
from tollbook.times import MS_PER_DAY

DAY = 20_749  # 2026-10-23
ACCOUNTS = st.one_of(st.none(), st.sampled_from(("a", "b", "_none", "")))
TOTALS = st.builds(Totals, calls=st.integers(1, 3), billsec=st.integers(0, 2), cost_micros=st.integers(0, 2))


def test_a_day_is_overdue_when_its_last_call_began_before_the_retention() -> None:
    """With thirty days, today is the thirty-first: whole days go, and none of which a part is younger."""
    assert overdue_days([69, 71, 68, 70, 100], today=100, retention_days=30) == [68, 69]
    assert overdue_days([98, 99, 100, 107], today=100, retention_days=1) == [98]
    assert overdue_days([], today=100, retention_days=30) == []


def test_legs_go_two_days_after_their_calls() -> None:
    """The window begins at day 70: legs of day 68 may belong to a call that still gets legs."""
    assert overdue_leg_days([66, 68, 67, 69], 70 * MS_PER_DAY) == [66, 67]
    assert overdue_leg_days([66, 67], 0) == []


def day(archived: dict[str | None, Totals], *, waiting: int = 0, still_open: int = 0) -> DayTotals:
    """A day in PostgreSQL with so many calls that wait for the archive, and so many that are open."""
    keys = frozenset(CallKey(number, "c", "sw") for number in range(waiting))
    return DayTotals(archived=archived, waiting=keys, open=still_open)


def test_a_day_on_which_the_tiers_agree_is_verified() -> None:
    totals = {"a": Totals(calls=2, billsec=9), None: Totals(calls=1)}
    assert verify_day(DAY, day(totals, waiting=3, still_open=4), totals) == VerifiedDay(calls=3, staying=7)


def test_no_more_calls_stay_than_may_be_moved() -> None:
    assert verify_day(DAY, day({}, waiting=MAX_MOVED - 1, still_open=1), {}).staying == MAX_MOVED
    with pytest.raises(ArchiveError, match=f"2026-10-23 is not dropped, .* more than {MAX_MOVED} of its calls"):
        verify_day(DAY, day({}, waiting=MAX_MOVED, still_open=1), {})


def test_accounts_that_differ_are_named_ten_at_most() -> None:
    one_call = {f"a{number}": Totals(calls=1) for number in range(12)}
    with pytest.raises(DataError) as refused:
        verify_day(DAY, day(one_call), {})
    assert str(refused.value).count("account a") == 10
    assert "and 2 more accounts" in str(refused.value)
    assert "tollbook prune --send-again 2026-10-23" in str(refused.value)


@given(st.dictionaries(ACCOUNTS, TOTALS))
def test_the_same_totals_do_not_differ(totals: dict[str | None, Totals]) -> None:
    assert differing_accounts(totals, dict(reversed(totals.items()))) == []


@given(st.dictionaries(ACCOUNTS, TOTALS), st.dictionaries(ACCOUNTS, TOTALS))
def test_every_account_that_differs_is_named_once(
    ours: dict[str | None, Totals], theirs: dict[str | None, Totals]
) -> None:
    named = [difference.account_id for difference in differing_accounts(ours, theirs)]
    assert len(named) == len(set(named))
    assert set(named) == {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)}


def test_a_difference_says_what_each_tier_holds() -> None:
    difference = AccountDifference(
        account_id=None, database=Totals(calls=2, billsec=60), archive=Totals(calls=1, cost_micros=5)
    )
    assert str(difference) == (
        "calls without an account: PostgreSQL has 2 calls, 60 s, 0 micros; the archive has 1 calls, 0 s, 5 micros"
    )
