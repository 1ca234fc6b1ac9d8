"""Mutants of the archive: what is written to it, compacted, and pruned on its account."""

from tests.mutants.mutant import Mutant

PRUNE = "tests/integration/maintenance/prune/test_guards.py"
PLAN = "tests/unit/maintenance/prune/test_plan.py"
DIGESTS = "tests/unit/maintenance/prune/test_row_digests.py"
ARCHIVE = "tests/integration/maintenance/archive/test_run.py"
IMPORT = "tests/integration/maintenance/importing/test_billing.py"
CONTENT = "tests/unit/maintenance/archive/test_batch.py"
LISTS = "tests/integration/tollbook/archive/test_list_entries.py"
MERGED = "tests/unit/maintenance/compaction/test_plan.py"
ALLOCATORS = "tests/integration/tollbook/test_allocators.py"

ANY_AGE = "tests/integration/export_app/detail/test_any_age.py"

MUTANTS = (
    Mutant(
        path="maintenance/prune/run.py",
        claim="nobody writes the archive between verification and drop",
        text="""            with sole_archiver(self.url, name="prune", wait_s=_ARCHIVER_WAIT_S) as check_alone:
                verified""",
        replacement="""            for check_alone in (bool,):
                verified""",
        tests=(f"{PRUNE}::test_nobody_writes_the_archive_between_verification_and_drop",),
    ),
    Mutant(
        path="maintenance/compaction/orphans.py",
        claim="a file of unknown age is no orphan",
        text="or 0 < file.written_s < before",
        replacement="or file.written_s < before",
        tests=(
            "tests/integration/maintenance/compaction/test_expire.py::test_a_file_of_unknown_age_is_never_an_orphan",
        ),
    ),
    Mutant(
        path="maintenance/compaction/plan.py",
        claim="few files that overlap in time are merged at once",
        text="opened[1] <= OVERLAPPING_FILES",
        replacement="opened[1] < 10**9",
        tests=(
            "tests/unit/maintenance/compaction/test_plan.py::test_few_files_that_overlap_in_time_are_merged_at_once",
        ),
    ),
    Mutant(
        path="tollbook/archive/list_entries.py",
        claim="a file that a commit removed is not part of the table",
        text="                if status != _DELETED:\n",
        replacement="                if status:\n",
        tests=(f"{LISTS}::test_files_that_a_commit_removed_are_left_out",),
    ),
    Mutant(
        path="tollbook/archive/list_entries.py",
        claim="a list that is cut off between two entries is refused",
        text="    if len(content) != manifest.manifest_length:\n",
        replacement="    if not content:\n",
        tests=(f"{LISTS}::test_a_list_that_is_cut_off_or_torn_is_refused[null]",),
    ),
    Mutant(
        path="tollbook/archive/list_entries.py",
        claim="a list with fewer files than the manifest list counts is refused",
        text="    check_count(manifest, len(files))\n",
        replacement="",
        tests=(f"{LISTS}::test_a_list_with_fewer_files_than_the_manifest_list_counts_is_refused",),
    ),
    Mutant(
        path="tollbook/archive/damage.py",
        claim="a list that lost a file is named",
        text="check_count(manifest, len(manifest.fetch_manifest_entry(table.io)))",
        replacement="manifest.fetch_manifest_entry(table.io)",
        tests=("tests/integration/maintenance/archive/test_damage.py::test_a_list_that_lost_a_file_is_named",),
    ),
    Mutant(
        path="maintenance/compaction/plan.py",
        claim="groups that take much memory are merged alone",
        text="        if overlapping(self.files) > FEW_OVERLAPPING:\n",
        replacement="        if not self.files:\n",
        tests=(f"{MERGED}::test_groups_that_take_much_memory_are_merged_alone",),
    ),
    Mutant(
        path="maintenance/archive/run.py",
        claim="a run ends once nothing is due of any of its accounts",
        text=" or rest is not accounts:\n",
        replacement=":\n",
        tests=(f"{ARCHIVE}::test_a_run_leaves_nothing_that_fell_out_of_its_batches",),
    ),
    Mutant(
        path="tollbook/config.py",
        claim="a setting of the API stops no command that leaves pandas out",
        text="if PathFinder.find_spec(name) is None]",
        replacement="if __import__('importlib.util').util.find_spec(name) is None]",
        tests=(f"{ALLOCATORS}::test_what_the_api_adds_up_with_stops_no_other_command[archive-False]",),
    ),
    Mutant(
        path="tollbook/allocators.py",
        claim="what is left out is as if it was not installed",
        text="        return None if fullname in _UNUSED else super()",
        replacement="        return super()",
        tests=(f"{ALLOCATORS}::test_what_the_api_adds_up_with_stops_no_other_command[archive-False]",),
    ),
    Mutant(
        path="maintenance/archive/commit.py",
        claim="a damaged file is not corrected into a sound one",
        text="digests.check(corrected.file)",
        replacement="digests.of(corrected.file)",
        tests=("tests/integration/maintenance/archive/test_digests.py::test_no_damage_is_copied_into_a_sound_file",),
    ),
    Mutant(
        path="maintenance/verify/heal.py",
        claim="no file is removed of whose calls PostgreSQL has fewer",
        text=">= sound + lost",
        replacement=">= 0 * (sound + lost)",
        tests=(
            "tests/integration/maintenance/verify/test_verify.py"
            "::test_a_database_with_fewer_calls_than_the_file_had_removes_nothing",
        ),
    ),
    Mutant(
        path="maintenance/prune/verify.py",
        claim="a day's end is not of that day, in the archive",
        text="(day + 1) * MS_PER_DAY * US_PER_MS)",
        replacement="(day + 1) * MS_PER_DAY * US_PER_MS + 1)",
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
        text="if window_start_ms > (day + longer + SLACK_LEG_DAYS)",
        replacement="if window_start_ms >= (day + longer + SLACK_LEG_DAYS)",
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
        path="maintenance/prune/row_digests.py",
        claim="NULL is no empty text",
        text="1 << place",
        replacement="0",
        tests=(f"{DIGESTS}::test_rows_have_the_same_text_only_if_all_columns_are_the_same",),
    ),
    Mutant(
        path="maintenance/archive/run.py",
        claim="a batch that the archive has is not written again",
        text="if holds(table, batch.batch_id)",
        replacement="if batch.rows < 0",
        tests=(f"{ARCHIVE}::test_a_kill_between_commit_and_acknowledge_duplicates_nothing[local]",),
    ),
    Mutant(
        path="maintenance/archive/run.py",
        claim="a claim goes on with the last account of the one before it, of which more may wait",
        text="rest[rest.index(batch.last_account) :]",
        replacement="rest[rest.index(batch.last_account) + 1 :]",
        tests=(f"{ARCHIVE}::test_every_row_that_is_due_is_claimed_once_however_batches_split_accounts",),
    ),
    Mutant(
        path="tollbook/archive/dictionaries.py",
        claim="there is no dictionary of what hardly repeats",
        text="if name not in UNLIKE]",
        replacement="]",
        tests=("tests/integration/maintenance/archive/test_dictionaries.py",),
    ),
    Mutant(
        path="maintenance/archive/batch.py",
        claim="a call that PostgreSQL has no more is no row of the archive",
        text="if some_gone else table",
        replacement="if False else table",
        tests=(f"{CONTENT}::test_a_deleted_call_is_a_correction_anywhere_and_no_row",),
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
    Mutant(
        path="tollbook/archive/call_ids.py",
        claim="an index file answers for data files that the table still has",
        text="            covering = [(file, covered) for file, covered in covering if covered]\n",
        replacement="            covering = [(file, set(file.files)) for file, covered in covering]\n",
        tests=(ANY_AGE,),
    ),
    Mutant(
        path="tollbook/archive/by_id.py",
        claim="data files that the index lacks are searched",
        text="for path in uncovered)",
        replacement="for path in uncovered - uncovered)",
        tests=(ANY_AGE,),
    ),
    Mutant(
        path="tollbook/store/calls/detail.py",
        claim="an archived row that is outdated or deleted is not shown",
        text="frozenset(starmap(CallKey, superseded)).union(rows)",
        replacement="frozenset(rows)",
        tests=(ANY_AGE,),
    ),
    Mutant(
        path="maintenance/erase/run.py",
        claim="an erasure leaves no hash of an erased id",
        text="                forget_removed_files(self._table())\n",
        replacement="",
        tests=(ANY_AGE,),
    ),
    Mutant(
        path="tollbook/model/call_leg.py",
        claim="an imported leg counts only where the switch says nothing",
        text="        records = _without_replaced(records)\n",
        replacement="",
        tests=(
            "tests/unit/tollbook/model/test_call_trees.py::test_an_imported_leg_counts_only_where_the_switch_says_nothing",
        ),
    ),
    Mutant(
        path="maintenance/importing/known.py",
        claim="a call that is there is not imported again",
        text='        return "known"\n    spans',
        replacement="        return None\n    spans",
        tests=("tests/unit/maintenance/importing/test_known.py::test_the_same_call_by_another_key_is_known",),
    ),
    Mutant(
        path="rating/engine.py",
        claim="an imported call is not priced",
        text="if row.billed_elsewhere:",
        replacement="if False:",
        tests=(f"{IMPORT}::test_imported_calls_have_no_price_and_are_in_no_statement",),
    ),
    Mutant(
        path="tollbook/archive/answered.py",
        claim="a re-rate prices no imported call of the archive",
        text=' if row["imported"] is None or row["cost_micros"] is not None',
        replacement="",
        tests=(f"{IMPORT}::test_imported_calls_have_no_price_and_are_in_no_statement",),
    ),
)
