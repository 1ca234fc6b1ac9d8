"""The mutants: each a rule of the sources, the change that breaks it, and the tests that must fail."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change to one file: `text`, which occurs there once, becomes `replacement`, and one of `tests` must fail.

    `claim` is the rule that holds without the change.
    """

    path: str
    claim: str
    text: str
    replacement: str
    tests: tuple[str, ...]


LEG = "tests/unit/tollbook/model/test_leg.py"
LOCKS = "tests/integration/tollbook/store/test_locks.py"
OUTBOX = "tests/integration/tollbook/store/test_outbox.py"
PRUNE = "tests/integration/maintenance/prune/test_guards.py"

MUTANTS = (
    Mutant(
        path="tollbook/store/days/prune.py",
        claim="a day is dropped under the lock under which partitions are made",
        text="""        connection.execute("SELECT pg_advisory_xact_lock(%s)", (PARTITION_LOCK,))\n""",
        replacement="",
        tests=(f"{LOCKS}::test_a_day_is_not_dropped_while_a_partition_is_being_made",),
    ),
    Mutant(
        path="tollbook/store/days/prune.py",
        claim="legs are dropped under the lock that batches hold",
        text="""        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LEG_LOCK,))\n""",
        replacement="",
        tests=(f"{LOCKS}::test_legs_are_not_dropped_between_a_batchs_look_and_its_rows",),
    ),
    Mutant(
        path="tollbook/store/days/late.py",
        claim="a late call is deleted under the lock that batches hold",
        text="""        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LEG_LOCK,))\n""",
        replacement="",
        tests=(f"{LOCKS}::test_a_late_call_is_not_deleted_between_a_batchs_look_and_its_rows",),
    ),
    Mutant(
        path="tollbook/store/days/late.py",
        claim="a batch that reaches back holds its legs",
        text="""    connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (LEG_LOCK,))\n""",
        replacement="    del connection\n",
        tests=(f"{LOCKS}::test_a_late_call_is_not_deleted_between_a_batchs_look_and_its_rows",),
    ),
    Mutant(
        path="tollbook/store/days/partitions.py",
        claim="a partition is made under the lock under which days are dropped",
        text="""        connection.execute("SELECT pg_advisory_xact_lock(%s)", (PARTITION_LOCK,))\n""",
        replacement="",
        tests=(f"{LOCKS}::test_a_partition_is_not_made_while_a_day_is_being_dropped",),
    ),
    Mutant(
        path="maintenance/prune/run.py",
        claim="nobody writes the archive between verification and drop",
        text="""            with outbox.sole_archiver(self.connection, wait_s=_ARCHIVER_WAIT_S):
                verified""",
        replacement="""            if True:
                verified""",
        tests=(f"{PRUNE}::test_nobody_writes_the_archive_between_verification_and_drop",),
    ),
    Mutant(
        path="tollbook/store/days/late.py",
        claim="what waits for the archive again is not deleted",
        text="""                  AND NOT EXISTS (
                      SELECT FROM archive_outbox AS waiting
                      WHERE (waiting.start_ts, waiting.call_id, waiting.switch)
                          = (call.start_ts, call.call_id, call.switch)
                  )
                RETURNING""",
        replacement="                RETURNING",
        tests=(f"{PRUNE}::test_a_late_call_that_waits_for_the_archive_again_is_not_deleted",),
    ),
    Mutant(
        path="maintenance/compaction/orphans.py",
        claim="a file of unknown age is no orphan",
        text="if 0 < file.written_s < before",
        replacement="if file.written_s < before",
        tests=(
            "tests/integration/maintenance/compaction/test_compact.py::test_a_file_of_unknown_age_is_never_an_orphan",
        ),
    ),
    Mutant(
        path="tollbook/store/outbox.py",
        claim="a claim waits for no batch",
        text="LIMIT %(limit)s FOR UPDATE SKIP LOCKED",
        replacement="LIMIT %(limit)s",
        tests=(f"{OUTBOX}::test_a_claim_leaves_what_a_batch_of_the_listener_holds",),
    ),
    Mutant(
        path="tollbook/store/outbox.py",
        claim="what changes while it is acknowledged stays",
        text="WHERE batch_id = %s FOR UPDATE SKIP LOCKED",
        replacement="WHERE batch_id = %s",
        tests=(f"{OUTBOX}::test_what_changes_while_it_is_acknowledged_stays",),
    ),
    Mutant(
        path="tollbook/store/outbox.py",
        claim="settling waits for no batch",
        text="since > now() FOR UPDATE SKIP LOCKED",
        replacement="since > now()",
        tests=(f"{OUTBOX}::test_rows_with_an_estimated_end_are_freed_save_those_that_a_batch_holds",),
    ),
    Mutant(
        path="tollbook/model/leg.py",
        claim="the newest sign of life is kept",
        text="seen_us=max(self.seen_us, other.seen_us)",
        replacement="seen_us=self.seen_us or other.seen_us",
        tests=(f"{LEG}::test_the_newest_sign_of_life_is_kept",),
    ),
    Mutant(
        path="tollbook/model/leg.py",
        claim="the earliest answer is kept",
        text="answered_us=min(self.answered_us or other.answered_us, other.answered_us or self.answered_us)",
        replacement="answered_us=max(self.answered_us, other.answered_us)",
        tests=(f"{LEG}::test_the_earliest_answer_is_kept",),
    ),
    Mutant(
        path="tollbook/model/call_tree.py",
        claim="of the records of a leg, the earliest answer counts",
        text="min(_answers(records), default=0)",
        replacement="max(_answers(records), default=0)",
        tests=(f"{LEG}::test_the_earliest_answer_of_all_records_counts_while_no_end_states_it",),
    ),
    Mutant(
        path="tollbook/model/tiers.py",
        claim="the window's first millisecond is not read from the archive",
        text="until=min(selection.until, hot.window_start))",
        replacement="until=min(selection.until, hot.window_start + 1))",
        tests=(f"{PRUNE}::test_the_windows_own_millisecond_is_read_once",),
    ),
    Mutant(
        path="tollbook/model/tiers.py",
        claim="a call of the window's first millisecond is no late one",
        text="if key.start_ts < hot.window_start]",
        replacement="if key.start_ts <= hot.window_start]",
        tests=("tests/unit/tollbook/model/test_tiers.py::test_the_archive_is_not_asked_when_no_page_reaches_it",),
    ),
    Mutant(
        path="tollbook/store/calls/call_rows.py",
        claim="a change within the window replaces nothing in the archive",
        text="start_ts < (SELECT window_start FROM hot_window)",
        replacement="start_ts <= (SELECT window_start FROM hot_window)",
        tests=(f"{PRUNE}::test_the_windows_own_millisecond_is_not_late",),
    ),
    Mutant(
        path="tollbook/store/days/totals.py",
        claim="a day's end is not of that day, in the outbox",
        text="archive_outbox WHERE start_ts >= %s AND start_ts < %s LIMIT",
        replacement="archive_outbox WHERE start_ts >= %s AND start_ts <= %s LIMIT",
        tests=(f"{PRUNE}::test_the_windows_own_millisecond_is_not_of_the_day_that_goes",),
    ),
    Mutant(
        path="tollbook/archive/totals.py",
        claim="a day's end is not of that day, in the archive",
        text="started(day * US_PER_DAY, (day + 1) * US_PER_DAY)",
        replacement="started(day * US_PER_DAY, (day + 1) * US_PER_DAY + 1)",
        tests=(f"{PRUNE}::test_the_windows_own_millisecond_is_not_of_the_day_that_goes",),
    ),
    Mutant(
        path="tollbook/store/days/prune.py",
        claim="the window moves to the end of the day that was dropped, and no further",
        text="ends, name = (day + 1) * kind.units_per_day,",
        replacement="ends, name = (day + 1) * kind.units_per_day + 1,",
        tests=(f"{PRUNE}::test_the_windows_own_millisecond_is_read_once",),
    ),
    Mutant(
        path="tollbook/model/late_legs.py",
        claim="a call of the first moment whose legs are kept has lost none",
        text="if row.start_ts * 1000 < kept_from_us}",
        replacement="if row.start_ts * 1000 <= kept_from_us}",
        tests=("tests/unit/tollbook/model/test_late_legs.py",),
    ),
    Mutant(
        path="tollbook/model/late_legs.py",
        claim="a call of the first moment whose legs are kept is known",
        text="(call.start_us < kept_from_us and unknown)",
        replacement="(call.start_us <= kept_from_us and unknown)",
        tests=("tests/unit/tollbook/model/test_late_legs.py",),
    ),
)
