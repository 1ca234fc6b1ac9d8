"""Mutants of the store: its locks, the outbox, batches, days."""

from tests.mutants.mutant import Mutant

LOCKS = "tests/integration/tollbook/store/test_locks.py"
OUTBOX = "tests/integration/tollbook/store/test_outbox.py"
PRUNE = "tests/integration/maintenance/prune/test_guards.py"
BATCH = "tests/integration/tollbook/store/test_batch.py"
RELATED = "tests/integration/tollbook/store/test_related.py"
LARGE = "tests/integration/tollbook/store/test_large.py"

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
        text="""        limit_transaction(connection)
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (PARTITION_LOCK,))\n""",
        replacement="        limit_transaction(connection)\n",
        tests=(f"{LOCKS}::test_a_partition_is_not_made_while_a_day_is_being_dropped",),
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
        path="tollbook/store/days/prune.py",
        claim="the window moves to the end of the day that was dropped, and no further",
        text="ends, name = (day + 1) * kind.units_per_day,",
        replacement="ends, name = (day + 1) * kind.units_per_day + 1,",
        tests=(f"{PRUNE}::test_the_windows_own_millisecond_is_read_once",),
    ),
    Mutant(
        path="tollbook/store/calls/batch.py",
        claim="batches of one switch follow each other",
        text="SELECT pg_advisory_xact_lock(%s, switch) FROM",
        replacement="SELECT %s, switch FROM",
        tests=(f"{LOCKS}::test_batches_of_one_switch_follow_each_other",),
    ),
    Mutant(
        path="tollbook/store/calls/batch_plan.py",
        claim="a leg keeps what was stored of it",
        text="yield fresh.merged(stored_leg.leg) if fresh else stored_leg.leg",
        replacement="yield fresh or stored_leg.leg",
        tests=(f"{BATCH}::test_a_recording_gives_its_rows_event_by_event",),
    ),
    Mutant(
        path="tollbook/store/calls/batch_plan.py",
        claim="a row whose legs moved to another call goes",
        text="stale = {stored_leg.row_key for stored_leg in stored.values()} - {",
        replacement="stale = {stored_leg.row_key for stored_leg in stored.values() if not calls} - {",
        tests=(f"{BATCH}::test_orphans_move_under_their_root_when_it_arrives",),
    ),
    Mutant(
        path="tollbook/store/calls/batch_plan.py",
        claim="a call that a leg leaves is folded again",
        text="if changed or row_key in was_in:",
        replacement="if changed:",
        tests=(f"{RELATED}::test_a_call_that_a_leg_leaves_is_folded_again",),
    ),
    Mutant(
        path="tollbook/store/calls/batch_plan.py",
        claim="a row is that of the legs that count",
        text="fold(call.first(MAX_CALL_LEGS), ",
        replacement="fold(call, ",
        tests=(f"{LARGE}::test_the_row_of_a_call_with_too_many_legs_is_that_of_those_that_count",),
    ),
    Mutant(
        path="tollbook/store/calls/legs.py",
        claim="a leg's previous life is read with it",
        text="ORDER BY leg.created_us DESC LIMIT 2",
        replacement="ORDER BY leg.created_us DESC LIMIT 1",
        tests=(f"{RELATED}::test_a_leg_known_to_be_recovered_later_continues_the_life_before_it",),
    ),
    Mutant(
        path="tollbook/store/calls/legs.py",
        claim="a leg's next life is read with it",
        text="WHERE leg.uid = wanted.id AND leg.created_us > wanted.at_us",
        replacement="WHERE false AND leg.uid = wanted.id AND leg.created_us > wanted.at_us",
        tests=(f"{RELATED}::test_a_first_life_heard_late_is_continued_by_the_next",),
    ),
    Mutant(
        path="tollbook/store/calls/batch.py",
        claim="a large batch never hangs",
        text="            connection.commit()\n        except BaseException:",
        replacement="                connection.commit()\n        except BaseException:",
        tests=(f"{LARGE}::test_a_batch_of_many_megabytes_is_written",),
    ),
    Mutant(
        path="tollbook/store/calls/batch_plan.py",
        claim="a duplicate changes nothing",
        text="for leg in known if leg.key not in stored or leg != stored[leg.key].leg}",
        replacement="for leg in known}",
        tests=(f"{BATCH}::test_a_duplicate_changes_nothing",),
    ),
    Mutant(
        path="tollbook/store/calls/call_rows.py",
        claim="a complete row is never reopened",
        text="WHERE NOT (old.end_ts IS NOT NULL AND excluded.end_ts IS NULL)",
        replacement="WHERE true",
        tests=(f"{BATCH}::test_a_complete_row_is_never_reopened",),
    ),
    Mutant(
        path="tollbook/store/calls/call_rows.py",
        claim="a row that changes leaves the batch that claimed it",
        text="since = excluded.since, account_id = excluded.account_id, batch_id = NULL,",
        replacement="since = excluded.since, account_id = excluded.account_id,",
        tests=(f"{BATCH}::test_a_correction_remembers_the_accounts_before",),
    ),
)
