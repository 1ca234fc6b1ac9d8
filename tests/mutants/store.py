"""Mutants of the store: its locks, the outbox, batches, days."""

from tests.mutants.mutant import Mutant

LOCKS = "tests/integration/tollbook/store/test_locks.py"
OUTBOX = "tests/integration/tollbook/store/test_outbox.py"
PRUNE = "tests/integration/maintenance/prune/test_guards.py"
BATCH = "tests/integration/tollbook/store/test_batch.py"
RELATED = "tests/integration/tollbook/store/test_related.py"
SYNC = "tests/integration/export_app/test_sync_and_prune.py"
DETAILS = "tests/integration/tollbook/store/test_details.py"
NAMES = "tests/integration/export_app/test_names.py"
TIERS = "tests/integration/export_app/test_tiers.py"
RERATE = "tests/integration/maintenance/rerate/test_cli.py"
SEEN = "tests/integration/export_app/test_details.py"
LARGE = "tests/integration/tollbook/store/test_large.py"

MUTANTS = (
    Mutant(
        path="tollbook/store/calls/pages.py",
        claim="a page that reaches further than it was guessed has all its rows",
        text="rows + _read(connection, rest, columns, limit - len(rows))",
        replacement="rows",
        tests=(f"{TIERS}::test_wherever_a_page_is_cut_it_has_the_same_rows",),
    ),
    Mutant(
        path="tollbook/store/days/sync_window.py",
        claim="a sync that lacks what was pruned is refused",
        text=" WHERE %(changed)s::xid8 > changes_after",
        replacement=" WHERE %(changed)s::xid8 < changes_after",
        tests=(f"{SYNC}::test_more_changes_than_a_day_may_leave_refuse_the_clients_that_lack_them",),
    ),
    Mutant(
        path="tollbook/store/days/sync_window.py",
        claim="of a day's changes the newest stay, of whole transactions",
        text="if changed != lost]",
        replacement="if changed == lost]",
        tests=(f"{SYNC}::test_more_changes_than_a_day_may_leave_refuse_the_clients_that_lack_them",),
    ),
    Mutant(
        path="tollbook/store/row_security.py",
        claim="no day is dropped while a snapshot reads",
        text="return [_BEGIN_READING, _LOCK]",
        replacement="return [_BEGIN_READING]",
        tests=(f"{SYNC}::test_no_day_is_dropped_while_a_snapshot_reads",),
    ),
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
        claim="a claim leaves what an earlier one still has",
        text="          AND ctid NOT IN (SELECT unnest(tids) FROM archive_batch)\n",
        replacement="",
        tests=(f"{OUTBOX}::test_a_claim_leaves_what_an_earlier_one_still_has",),
    ),
    Mutant(
        path="tollbook/store/outbox.py",
        claim="a batch is versions of rows, not their places",
        text="AND waiting.xmin IN (SELECT unnest(xmins) FROM archive_batch WHERE batch_id = %(batch)s)",
        replacement="",
        tests=(f"{OUTBOX}::test_another_row_in_the_place_of_a_claimed_one_is_not_of_its_batch",),
    ),
    Mutant(
        path="tollbook/store/outbox.py",
        claim="the places of a table that was written anew are not those of a batch",
        text="pg_relation_filenode('archive_outbox'))",
        replacement="'')",
        tests=(f"{OUTBOX}::test_a_table_that_was_written_anew_is_distrusted",),
    ),
    Mutant(
        path="tollbook/store/outbox.py",
        claim="what changes while it is acknowledged stays",
        text="WHERE {UNCHANGED} FOR UPDATE SKIP LOCKED",
        replacement="WHERE {UNCHANGED}",
        tests=(f"{OUTBOX}::test_what_changes_while_it_is_acknowledged_stays",),
    ),
    Mutant(
        path="tollbook/store/outbox.py",
        claim="settling waits for no batch",
        text="FROM archive_batch) FOR UPDATE SKIP LOCKED",
        replacement="FROM archive_batch)",
        tests=(f"{OUTBOX}::test_rows_with_an_estimated_end_are_freed_save_those_that_a_batch_holds",),
    ),
    Mutant(
        path="tollbook/store/calls/call_rows.py",
        claim="a change within the window replaces nothing in the archive",
        text="start_ts < (SELECT greatest(window_start, unverified_before) FROM hot_window)",
        replacement="start_ts <= (SELECT greatest(window_start, unverified_before) FROM hot_window)",
        tests=(f"{PRUNE}::test_the_windows_own_millisecond_is_not_late",),
    ),
    Mutant(
        path="tollbook/store/days/rows.py",
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
        text="SELECT pg_advisory_xact_lock(%s, switch), set_config(",
        replacement="SELECT %s, switch, set_config(",
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
        text="stale = made - {",
        replacement="stale = (set() if calls else made) - {",
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
        text='connection.execute("COMMIT")',
        replacement="connection.commit()",
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
        claim="an event that changes no charge prices nothing anew",
        text='f"{column} = CASE WHEN {_CHARGED_ALIKE} THEN old.{column} ELSE excluded.{column} END"',
        replacement='f"{column} = excluded.{column}"',
        tests=(f"{DETAILS}::test_details_alone_make_a_revision_that_keeps_the_price",),
    ),
    Mutant(
        path="tollbook/store/calls/call_rows.py",
        claim="new tariffs alone make no revision",
        text="AND NOT {_CHARGED_ALIKE}\n        )",
        replacement="\n        )",
        tests=(f"{DETAILS}::test_an_event_that_changes_no_field_makes_no_revision",),
    ),
    Mutant(
        path="tollbook/model/filters.py",
        claim="a tenant finds no call by a carrier's Call-ID",
        text="accounts.hides_carriers and filters.sip_call_id is not None",
        replacement="not accounts.hides_carriers",
        tests=(f"{SEEN}::test_a_tenant_finds_no_call_by_the_call_id_of_a_carrier",),
    ),
    Mutant(
        path="tollbook/store/tariffs/price_history.py",
        claim="the details of an archived call stay JSON when it is priced again",
        text="if name in JSON_COLUMNS and isinstance(value, str)",
        replacement="if False",
        tests=(f"{RERATE}::test_details_stay_and_the_destination_follows_the_price",),
    ),
    Mutant(
        path="tollbook/store/sums/names.py",
        claim="a name that no call has any more is not found",
        text="queue = name_id AND calls > 0",
        replacement="queue = name_id",
        tests=(f"{NAMES}::test_a_name_that_no_call_has_any_more_is_not_found",),
    ),
    Mutant(
        path="tollbook/store/sums/names.py",
        claim="what was taken back before it was rolled up has no name",
        text="HAVING sum(sign) > 0",
        replacement="",
        tests=(f"{NAMES}::test_a_name_that_no_call_has_any_more_is_not_found",),
    ),
)
