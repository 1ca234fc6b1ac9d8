"""Which days are dropped, and what is said of a day that must stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintenance.prune.differences import CallDifference
from maintenance.prune.plan import MAX_MOVED, count_staying, overdue_days, overdue_leg_days, refusal
from tollbook.errors import ArchiveError
from tollbook.model.call_key import CallKey
from tollbook.model.totals import AccountDifference, Totals, differing_accounts
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
    assert overdue_leg_days([66, 68, 67, 69], 70 * MS_PER_DAY, 0) == [66, 67]
    assert overdue_leg_days([66, 67], 0, 0) == []


def test_legs_may_be_kept_longer() -> None:
    """By so many days, and two more."""
    assert overdue_leg_days([56, 57, 58, 68], 70 * MS_PER_DAY, 10) == [56, 57]


def test_no_more_calls_stay_than_may_be_moved() -> None:
    assert count_staying(DAY, MAX_MOVED - 1, 1) == MAX_MOVED
    with pytest.raises(ArchiveError, match=f"2026-10-23 is not dropped, .* more than {MAX_MOVED} of its calls"):
        count_staying(DAY, MAX_MOVED, 1)


def test_a_refusal_says_what_helps() -> None:
    found = CallDifference(key=CallKey(DAY * MS_PER_DAY, "a\x1b", "fs1"), how="differs in parts")
    said = str(refusal(DAY, [found]))
    assert "call a\\x1b of 2026-10-23 on fs1 differs in parts\n" in said
    assert "tollbook prune --send-again 2026-10-23" in said


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
