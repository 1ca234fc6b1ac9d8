"""Mutants of the model: the fold, its rules, legs and what they belong to, the seam of the two tiers."""

from tests.mutants.mutant import Mutant

LEG = "tests/unit/tollbook/model/test_leg.py"
PRUNE = "tests/integration/maintenance/prune/test_guards.py"
RULES = "tests/unit/tollbook/model/test_rules.py"
TREES = "tests/unit/tollbook/model/test_call_trees.py"
CHARGES = "tests/unit/tollbook/model/test_charges.py"
OUTSIDE = "tests/unit/tollbook/model/test_outside.py"
ORIGINATES = "tests/unit/tollbook/model/test_originates.py"
RECORDED = "tests/unit/tollbook/model/test_recorded_rows.py"

MUTANTS = (
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
        path="tollbook/model/call_leg.py",
        claim="of the records of a leg, the earliest answer counts",
        text="min(_answers(records), default=0)",
        replacement="max(_answers(records), default=0)",
        tests=(f"{LEG}::test_the_earliest_answer_of_all_records_counts_while_no_end_states_it",),
    ),
    Mutant(
        path="tollbook/model/tiers.py",
        claim="the window's first millisecond is not read from the archive",
        text="until=min(selection.until, window_start))",
        replacement="until=min(selection.until, window_start + 1))",
        tests=(f"{PRUNE}::test_the_windows_own_millisecond_is_read_once",),
    ),
    Mutant(
        path="tollbook/model/tiers.py",
        claim="a call of the window's first millisecond is no late one",
        text="if _start_of(row) < hot.window_start]",
        replacement="if _start_of(row) <= hot.window_start]",
        tests=("tests/unit/tollbook/model/test_tiers.py::test_the_archive_is_not_asked_when_no_page_reaches_it",),
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
        text="(call.start_us < before_us and unknown)",
        replacement="(call.start_us <= before_us and unknown)",
        tests=("tests/unit/tollbook/model/test_late_legs.py",),
    ),
    Mutant(
        path="tollbook/model/call_tree.py",
        claim="a parent began no later than its child",
        text="if leg.created_us <= child.created_us or",
        replacement="if leg.created_us < child.created_us or",
        tests=(TREES,),
    ),
    Mutant(
        path="tollbook/model/call_tree.py",
        claim="a parent that seems younger because the clock was set back is found",
        text="for leg in same_uid[:1] if",
        replacement="for leg in same_uid[:0] if",
        tests=(TREES,),
    ),
    Mutant(
        path="tollbook/model/call_tree.py",
        claim="a leg that was made later by the number of its event is no parent",
        text="return 0 < (than.create.sequence if than.create else 0) <",
        replacement="return 0 > (than.create.sequence if than.create else 0) >",
        tests=(TREES,),
    ),
    Mutant(
        path="tollbook/model/call_tree.py",
        claim="a leg of another process is no parent",
        text="if record.core and than.core and record.core != than.core:",
        replacement="if not record.core:",
        tests=(TREES,),
    ),
    Mutant(
        path="tollbook/model/late_legs.py",
        claim="a leg from before the retention joins no younger call that has its parent's id",
        text="max(kept_from_us, whole_from_us)) - stored.keys())",
        replacement="0) - stored.keys())",
        tests=("tests/unit/tollbook/model/test_late_legs.py",),
    ),
    Mutant(
        path="tollbook/model/leg.py",
        claim="the better source is believed",
        text="return left if left_rank < right_rank else right",
        replacement="return left if left_rank > right_rank else right",
        tests=(f"{LEG}::test_the_better_source_is_believed_then_the_earlier_statement",),
    ),
    Mutant(
        path="tollbook/model/rules/answer.py",
        claim="an outbound call counts from the later of the two answers",
        text="if root.answered_us > first.answered_us:",
        replacement="if root.answered_us < first.answered_us:",
        tests=(f"{CHARGES}::test_an_outbound_call_counts_from_the_far_end_s_answer",),
    ),
    Mutant(
        path="tollbook/model/rules/charges.py",
        claim="a second apart is one conversation",
        text="abs(leg.answered_us - answer_us) <= _SAME",
        replacement="abs(leg.answered_us - answer_us) < _SAME",
        tests=(f"{CHARGES}::test_a_second_apart_is_one_conversation",),
    ),
    Mutant(
        path="tollbook/model/rules/charges.py",
        claim="no duration is below zero",
        text="return max(0, end_us // 1_000_000 - start_us // 1_000_000)",
        replacement="return end_us // 1_000_000 - start_us // 1_000_000",
        tests=(f"{RULES}::test_no_duration_is_below_zero_even_when_the_clock_steps_back",),
    ),
    Mutant(
        path="tollbook/model/rules/charges.py",
        claim="seconds are whole clock seconds apart",
        text="end_us // 1_000_000 - start_us // 1_000_000",
        replacement="(end_us - start_us) // 1_000_000",
        tests=(RECORDED,),
    ),
    Mutant(
        path="tollbook/model/rules/charges.py",
        claim="an unanswered call is charged for nothing",
        text="    if not answer_us:\n        return ()\n",
        replacement="",
        tests=(RECORDED,),
    ),
    Mutant(
        path="tollbook/model/rules/ending.py",
        claim="the last leg to hang up ends the call",
        text="return max(counted, key=_hangup_us)",
        replacement="return min(counted, key=_hangup_us)",
        tests=(RECORDED,),
    ),
    Mutant(
        path="tollbook/model/call_tree.py",
        claim="a leg that only rang does not date the end of the call",
        text="if leg.answered_us or leg is root]",
        replacement="]",
        tests=(RECORDED,),
    ),
    Mutant(
        path="tollbook/model/rules/ending.py",
        claim="an inbound call is billed until its root hangs up",
        text='if direction == "inbound":',
        replacement='if direction == "internal":',
        tests=(RECORDED,),
    ),
    Mutant(
        path="tollbook/model/rules/ending.py",
        claim="a loopback leg serves nobody",
        text="if leg.origin.loopback or not leg.answered_us:",
        replacement="if not leg.answered_us:",
        tests=(f"{RULES}::test_a_queue_that_nobody_served_is_abandoned_and_a_loopback_serves_nobody",),
    ),
    Mutant(
        path="tollbook/model/rules/direction.py",
        claim="a route's outbound counts over an inbound call only if it goes on to the number dialled",
        text="return any(same_line(to_num, leg.sent_number) for leg in off_net)",
        replacement="return True",
        tests=(f"{OUTSIDE}::test_call_direction_counts_within_limits",),
    ),
    Mutant(
        path="tollbook/model/rules/direction.py",
        claim="an agent's leg to a mobile does not send an internal caller's queue call out",
        text="if leg.answered_us and not is_agents(leg)]",
        replacement="if leg.answered_us]",
        tests=(f"{OUTSIDE}::test_an_internal_caller_in_a_queue_calls_the_queue",),
    ),
    Mutant(
        path="tollbook/model/trunks.py",
        claim="a directory user at an on-net peer's address is a user",
        text='        if leg.user:\n            return "directory user"\n',
        replacement="",
        tests=(f"{OUTSIDE}::test_where_a_call_comes_from",),
    ),
    Mutant(
        path="tollbook/model/call_leg.py",
        claim="an answer before the start shows a clock that was set back",
        text="return 0 < self.answered_us < began_us or",
        replacement="return",
        tests=(f"{RULES}::test_a_clock_that_was_set_back_marks_the_row",),
    ),
    Mutant(
        path="tollbook/model/rules/parties.py",
        claim="the other party of an originate is the first who answered",
        text="(leg for leg in parties if leg.answered_us)",
        replacement="(leg for leg in parties)",
        tests=(f"{ORIGINATES}::test_the_other_party_is_the_first_who_answered",),
    ),
    Mutant(
        path="tollbook/model/rules/parties.py",
        claim="the child that answered pays before one that did not",
        text="        if leg.answered_us:\n            return Decision(leg.outcome.account",
        replacement="        if not leg.answered_us:\n            return Decision(leg.outcome.account",
        tests=(f"{RULES}::test_the_account_is_the_root_s_then_the_number_s_then_the_answering_child_s",),
    ),
)
