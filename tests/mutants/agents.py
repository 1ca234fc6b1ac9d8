"""Mutants of agents: whose they are, what nobody heard, and days that are written once."""

from tests.mutants.mutant import Mutant

SPANS = "tests/unit/tollbook/model/agents/test_spans.py"
CHANGE = "tests/unit/tollbook/model/agents/test_change.py"
ACCOUNTS = "tests/integration/maintenance/agents/test_accounts.py"
CLOSE = "tests/integration/maintenance/agents/test_close.py"
API = "tests/integration/export_app/test_agents.py"

MUTANTS = (
    Mutant(
        path="tollbook/model/agents/spans.py",
        claim="what nobody heard is unknown",
        text="            self.status_holds = self.state_holds = False\n        elif point.order == _GAP_ENDS",
        replacement="            pass\n        elif point.order == _GAP_ENDS",
        tests=(f"{SPANS}::test_a_gap_is_unknown_until_the_agents_are_listed",),
    ),
    Mutant(
        path="tollbook/model/agents/spans.py",
        claim="where gaps overlap, the first end ends nothing",
        text="if not self.gaps:",
        replacement="if True:",
        tests=(f"{SPANS}::test_where_gaps_overlap_the_last_end_counts", f"{SPANS}::test_a_gap_only_makes_unknown"),
    ),
    Mutant(
        path="tollbook/model/agents/spans.py",
        claim="a status alone says nothing",
        text="if state is None:",
        replacement="if False:",
        tests=(f"{SPANS}::test_a_status_alone_says_nothing", f"{SPANS}::test_a_gap_only_makes_unknown"),
    ),
    Mutant(
        path="tollbook/model/agents/spans.py",
        claim="a call that goes on through a gap is one call",
        text="point.value == IN_A_QUEUE_CALL and self.state != IN_A_QUEUE_CALL",
        replacement="point.value == IN_A_QUEUE_CALL",
        tests=(f"{SPANS}::test_a_call_that_goes_on_through_a_gap_is_one_call",),
    ),
    Mutant(
        path="tollbook/model/agents/change.py",
        claim="a name with a separator cannot pass for another agent",
        text='or fields[_BEFORE_CONTACT.index("type")] not in _TYPES',
        replacement="",
        tests=(f"{CHANGE}::test_the_list_is_read_whatever_stands_in_the_contact",),
    ),
    Mutant(
        path="tollbook/store/agents/accounts.py",
        claim="an agent that works for two accounts is nobody's",
        text="HAVING count(*) = 1 AND count(*) FILTER (WHERE evidence = 'phone') = 0) AS calls",
        replacement="HAVING count(*) FILTER (WHERE evidence = 'phone') = 0) AS calls",
        tests=(f"{ACCOUNTS}::test_a_call_from_outside_says_for_whom_an_agent_works",),
    ),
    Mutant(
        path="export_app/agents/all_time.py",
        claim="what an agent did for another account before is not the new one's",
        text="max(piece.since, min(own_since, piece.until))",
        replacement="piece.since",
        tests=(f"{API}::test_an_agent_that_changes_sides_leaves_the_past",),
    ),
    Mutant(
        path="tollbook/store/row_security.py",
        claim="PostgreSQL itself shows an account no agent of another",
        text='    "agent": _OWN,\n    "agent_day": _OWN,',
        replacement='    "agent": "true",\n    "agent_day": "true",',
        tests=(f"{API}::test_no_account_sees_anothers_agents",),
    ),
    Mutant(
        path="esl_listener/writer.py",
        claim="no sign of life is written before what was heard of agents",
        text="write_agents(self._connected(),",
        replacement="self._write((), processes)\n                write_agents(self._connected(),",
        tests=("tests/integration/esl_listener/test_writer.py",),
    ),
    Mutant(
        path="tollbook/store/agents/days.py",
        claim="where nothing was said of agents no day is due",
        text="if said_us is None:",
        replacement="said_us = said_us or 0\n        if False:",
        tests=(f"{CLOSE}::test_where_no_agent_was_ever_heard_of_no_day_is_closed",),
    ),
    Mutant(
        path="maintenance/agents/close.py",
        claim="a day that the archive has is not written again",
        text="if holds_day(table, day):",
        replacement="if False:",
        tests=(f"{CLOSE}::test_a_kill_between_archive_and_database_doubles_nothing",),
    ),
    Mutant(
        path="tollbook/store/agents/changes.py",
        claim="no agent is removed while something is added to it",
        text="        adding_to_agents(connection)\n",
        replacement="",
        tests=("tests/integration/maintenance/agents/test_erase_beside.py",),
    ),
    Mutant(
        path="maintenance/agents/prune.py",
        claim="prune drops what was said only where the archive has it",
        text="if kept != archived:",
        replacement="if False:",
        tests=(f"{CLOSE}::test_prune_drops_what_the_archive_has",),
    ),
)
