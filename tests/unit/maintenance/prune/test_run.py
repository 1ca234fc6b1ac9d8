"""Which days go, and what is said when the tiers differ."""

from hypothesis import given
from hypothesis import strategies as st

from maintenance.prune.run import overdue, overdue_legs
from tollbook.model.totals import Difference, Totals, differences
from tollbook.store.days.partitions import MS_PER_DAY

ACCOUNTS = st.one_of(st.none(), st.sampled_from(("a", "b", "_none", "")))
TOTALS = st.builds(Totals, calls=st.integers(1, 3), billsec=st.integers(0, 2), cost_micros=st.integers(0, 2))


def test_a_day_is_overdue_when_its_last_call_began_before_the_retention() -> None:
    """With thirty days, today is the thirty-first: whole days go, and none of which a part is younger."""
    assert overdue([69, 71, 68, 70, 100], today=100, retention_days=30) == [68, 69]
    assert overdue([98, 99, 100, 107], today=100, retention_days=1) == [98]
    assert overdue([], today=100, retention_days=30) == []


def test_legs_go_two_days_after_their_calls() -> None:
    """The window begins at day 70: legs of day 68 may belong to a call of which more legs come."""
    assert overdue_legs([66, 68, 67, 69], 70 * MS_PER_DAY) == [66, 67]
    assert overdue_legs([66, 67], 0) == []


@given(st.dictionaries(ACCOUNTS, TOTALS))
def test_the_same_totals_do_not_differ(totals: dict[str | None, Totals]) -> None:
    assert differences(totals, dict(reversed(totals.items()))) == []


@given(st.dictionaries(ACCOUNTS, TOTALS), st.dictionaries(ACCOUNTS, TOTALS))
def test_every_account_that_differs_is_named_once(
    ours: dict[str | None, Totals], theirs: dict[str | None, Totals]
) -> None:
    named = [one.account_id for one in differences(ours, theirs)]
    assert len(named) == len(set(named))
    assert set(named) == {one for one in ours.keys() | theirs.keys() if ours.get(one) != theirs.get(one)}


def test_a_difference_says_what_each_tier_holds() -> None:
    one = Difference(account_id=None, database=Totals(calls=2, billsec=60), archive=Totals(calls=1, cost_micros=5))
    assert str(one) == (
        "calls without an account: PostgreSQL has 2 calls, 60 s, 0 micros; the archive has 1 calls, 0 s, 5 micros"
    )
