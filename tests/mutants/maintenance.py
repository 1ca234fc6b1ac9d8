"""Mutants of the archive: what is written to it, compacted, and pruned on its account."""

from tests.mutants.mutant import Mutant

PRUNE = "tests/integration/maintenance/prune/test_guards.py"
PLAN = "tests/unit/maintenance/prune/test_plan.py"
ARCHIVE = "tests/integration/maintenance/archive/test_run.py"
CONTENT = "tests/unit/maintenance/archive/test_batch.py"

MUTANTS = (
    Mutant(
        path="maintenance/prune/run.py",
        claim="nobody writes the archive between verification and drop",
        text="""            with outbox.sole_archiver(self.url, name="prune", wait_s=_ARCHIVER_WAIT_S) as check_alone:
                verified""",
        replacement="""            for check_alone in (bool,):
                verified""",
        tests=(f"{PRUNE}::test_nobody_writes_the_archive_between_verification_and_drop",),
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
        path="tollbook/archive/totals.py",
        claim="a day's end is not of that day, in the archive",
        text="started(day * US_PER_DAY, (day + 1) * US_PER_DAY)",
        replacement="started(day * US_PER_DAY, (day + 1) * US_PER_DAY + 1)",
        tests=(f"{PRUNE}::test_the_windows_own_millisecond_is_not_of_the_day_that_goes",),
    ),
    Mutant(
        path="maintenance/prune/plan.py",
        claim="whole days are kept",
        text="if day < today - retention_days)",
        replacement="if day <= today - retention_days)",
        tests=(f"{PLAN}::test_a_day_is_overdue_when_its_last_call_began_before_the_retention",),
    ),
    Mutant(
        path="maintenance/prune/plan.py",
        claim="legs are kept two days longer",
        text="if window_start_ms > (day + LEG_DAYS)",
        replacement="if window_start_ms >= (day + LEG_DAYS)",
        tests=(f"{PLAN}::test_legs_go_two_days_after_their_calls",),
    ),
    Mutant(
        path="maintenance/prune/plan.py",
        claim="no more calls are moved than INSERTs can wait for",
        text="if staying > MAX_MOVED:",
        replacement="if staying > MAX_MOVED + 1:",
        tests=(f"{PLAN}::test_no_more_calls_stay_than_may_be_moved",),
    ),
    Mutant(
        path="maintenance/prune/plan.py",
        claim="a day on which the tiers differ is not dropped",
        text="if different := differing_accounts(stored.archived, archive):",
        replacement="if (different := differing_accounts(stored.archived, archive)) and not stored:",
        tests=(f"{PLAN}::test_accounts_that_differ_are_named_ten_at_most",),
    ),
    Mutant(
        path="maintenance/archive/run.py",
        claim="a batch that the archive has is not written again",
        text="if holds(table, batch.batch_id)",
        replacement="if batch.rows < 0",
        tests=(f"{ARCHIVE}::test_a_kill_between_commit_and_acknowledge_duplicates_nothing[local]",),
    ),
    Mutant(
        path="maintenance/archive/batch.py",
        claim="a second revision replaces what is archived",
        text='pc.fill_null(table["revision"], 0), 1))',
        replacement='pc.fill_null(table["revision"], 0), 2))',
        tests=(f"{CONTENT}::test_a_later_revision_is_looked_for_under_every_account_that_it_had",),
    ),
    Mutant(
        path="maintenance/archive/batch.py",
        claim="a deleted call is looked for under any account",
        text="accounts = None if gone or deleted else",
        replacement="accounts = None if gone else",
        tests=(f"{CONTENT}::test_a_call_that_was_deleted_and_written_anew_is_a_correction_anywhere_and_a_row",),
    ),
    Mutant(
        path="tollbook/archive/schema.py",
        claim="a commit on a stale load is not repeated",
        text='"commit.retry.num-retries": "0"',
        replacement='"commit.retry.num-retries": "4"',
        tests=(f"{ARCHIVE}::test_a_commit_on_a_stale_load_is_refused_and_not_repeated[local]",),
    ),
)
