"""The doctor's verdict on what is kept of calls for ever: the archive, the sums and the statements."""

import pytest

from maintenance.doctor.finding import Finding, Status
from maintenance.doctor.rules import archive as archive_rules
from tollbook.model.totals import Totals
from tollbook.model.unbilled import UnbilledCounts
from tollbook.store.history import Restored
from tollbook.store.sums.sample import SumSample

OK, WARN, FAIL = Status.OK, Status.WARN, Status.FAIL
HOUR = 3600.0


def unbilled(no_account: int) -> UnbilledCounts:
    return UnbilledCounts(no_account=no_account, no_such_account=0, no_price=0)


SAMPLE = SumSample(
    account_id="acme", day=20_780, summed=Totals(calls=2), rows=Totals(calls=1), archived=False, excluded=frozenset()
)

CASES = [
    (archive_rules.history(None), OK, "neither a copy nor restored"),
    (archive_rules.history(Restored(at_s=0.0, how="a copy of another")), FAIL, "a copy of another"),
    (archive_rules.outbox(0, 0.0, abandoned=0), OK, "nothing waits"),
    (archive_rules.outbox(10, 26 * HOUR, abandoned=0), OK, "10 rows wait, the oldest for 26 h"),
    (archive_rules.outbox(10, 27 * HOUR, abandoned=0), WARN, "oldest for 27 h"),
    (archive_rules.outbox(10, 73 * HOUR, abandoned=0), FAIL, "oldest for 3 days"),
    (archive_rules.outbox(100_000, HOUR, abandoned=0), OK, "100000 or more rows wait"),
    (archive_rules.outbox(10, 90.0, abandoned=1), WARN, "oldest for 90 s; 1 batches left by an archiver"),
    (archive_rules.outbox(10, 73 * HOUR, abandoned=1), FAIL, "oldest for 3 days; 1 batches left by an archiver"),
    (archive_rules.statements(0, None, "2026-10"), OK, "every account that has statements has one for 2026-10"),
    (
        archive_rules.statements(2, "acme", "2026-10"),
        WARN,
        "2 accounts have no statement for 2026-10, acme for example",
    ),
    (archive_rules.unbilled(None, "2026-10", "list"), OK, "not counted in 2026-10"),
    (archive_rules.unbilled(unbilled(0), "2026-10", "list"), OK, "none in 2026-10"),
    (archive_rules.unbilled(unbilled(2), "2026-10", "list"), WARN, "2 answered calls of 2026-10: 2 without an account"),
    (archive_rules.archive(None, table=False), OK, "no table yet"),
    (archive_rules.archive(None, table=True), OK, "the table is empty"),
    (archive_rules.archive(600.0, table=True), OK, "the newest snapshot is 10 min old"),
    (archive_rules.archive_files(0, None), OK, "none yet"),
    (archive_rules.archive_files(3, []), OK, "all 3 are there"),
    (archive_rules.archive_files(90_000, None), OK, "there are 90000 files"),
    (archive_rules.archive_files(3, ["s3://b/x.parquet"]), FAIL, "1 of 3 are missing, among them x.parquet"),
    (archive_rules.sums_unbuilt(3), WARN, "the sums of 3 days are not built yet"),
    (archive_rules.sums_unbuilt(0), WARN, "the sums of the calls from before the upgrade are not built yet"),
    (archive_rules.sums_waiting(), WARN, "200000 changes or more wait to be rolled up"),
    (archive_rules.sums(6, []), OK, "6 account-days"),
    (
        archive_rules.sums(6, [SAMPLE]),
        FAIL,
        "1 of 6 account-days differ from rows and archive, such as acme on 2026-11-23",
    ),
]


@pytest.mark.parametrize(("finding", "status", "text"), CASES)
def test_a_value_is_judged(finding: Finding, status: Status, text: str) -> None:
    """Each limit is where the rules say, and a finding that is not OK says what to do."""
    assert (finding.status, text in finding.found) == (status, True), finding
    assert bool(finding.remedy) == (status is not OK)
