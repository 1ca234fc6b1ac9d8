"""Mutants of a call's details: their rules, what is noted of a leg, and legs of another call."""

from tests.mutants.mutant import Mutant

_RULES = "tollbook/model/rules/details"
DETAILS = "tests/unit/tollbook/model/test_details_rules.py"
HANG_UP = "tests/unit/tollbook/model/test_hang_up_rules.py"
QUEUES = "tests/unit/tollbook/model/test_queue_rules.py"
RECORDED = "tests/unit/tollbook/model/test_recorded_details.py"
NOTES = "tests/unit/tollbook/model/test_notes.py"
NOTED = "tests/integration/tollbook/store/test_noted_legs.py"

MUTANTS = (
    Mutant(
        path=f"{_RULES}/hung_up_by.py",
        claim="a leg that ended more than 20 ms after the root did not end the call",
        text="<= leg.outcome.hangup_us - root_us <= _CLOCK_STEP_US",
        replacement="<= leg.outcome.hangup_us - root_us <= _ENDED_TOGETHER_US",
        tests=(HANG_UP,),
    ),
    Mutant(
        path=f"{_RULES}/hung_up_by.py",
        claim="a root that cannot say who hung up makes no switch of it",
        text="    unsaid = not disposition\n",
        replacement="    unsaid = False\n",
        tests=(HANG_UP,),
    ),
    Mutant(
        path=f"{_RULES}/hung_up_by.py",
        claim="legs that end together after the caller left say who hung up",
        text="leg.outcome.hangup_us >= last_us - _ENDED_TOGETHER_US",
        replacement="leg.outcome.hangup_us >= last_us",
        tests=(HANG_UP,),
    ),
    Mutant(
        path="tollbook/model/bridged.py",
        claim="a leg of another call counts only if it names the root, too",
        text="        and leg.outcome.details.last_bridge_to == last.uid\n",
        replacement="",
        tests=(HANG_UP,),
    ),
    Mutant(
        path=f"{_RULES}/ringing.py",
        claim="the first sign of life is the earliest of three times",
        text="if media_us and (not sign_us or media_us < sign_us):",
        replacement="if media_us and not sign_us:",
        tests=(DETAILS,),
    ),
    Mutant(
        path=f"{_RULES}/ringing.py",
        claim="nobody is called by a loopback channel",
        text=" and not leg.origin.channel.startswith(_NOBODY_CALLED)",
        replacement="",
        tests=(DETAILS,),
    ),
    Mutant(
        path=f"{_RULES}/waiting.py",
        claim="a caller who hangs up has left the queue then",
        text="min(*left, root.outcome.hangup_us) if left",
        replacement="min(left) if left",
        tests=(QUEUES,),
    ),
    Mutant(
        path=f"{_RULES}/waiting.py",
        claim="the visit that an agent ended is the newest before him",
        text="before = [visit for visit in joined if visit[0] <= bridged_us]",
        replacement="before = joined",
        tests=(QUEUES,),
    ),
    Mutant(
        path=f"{_RULES}/holding.py",
        claim="two holds at a time count once",
        text="off_us - max(on_us, until_us)",
        replacement="off_us - on_us",
        tests=(DETAILS,),
    ),
    Mutant(
        path=f"{_RULES}/quality.py",
        claim="what few packets say is no quality",
        text="details.packets_in < LEAST_PACKETS",
        replacement="details.packets_in < 0",
        tests=(RECORDED,),
    ),
    Mutant(
        path="tollbook/model/notes.py",
        claim="a voicemail message is no recording",
        text="is_message = event.application",
        replacement="is_message = not event.application",
        tests=(RECORDED,),
    ),
    Mutant(
        path="tollbook/model/notes.py",
        claim="of too many times the latest are kept",
        text="[-MOST_TIMES:]",
        replacement="[:MOST_TIMES]",
        tests=(NOTES,),
    ),
    Mutant(
        path="tollbook/model/call_leg.py",
        claim="what is noted of a leg makes no leg",
        text="        if leg.is_known:\n",
        replacement="        if True:\n",
        tests=(NOTES,),
    ),
    Mutant(
        path="tollbook/model/call_leg.py",
        claim="what names a leg by its id alone belongs to the life in which it falls",
        text="begun = sum(leg.began_us <= record.created_us for leg in same_uid)",
        replacement="begun = len(same_uid)",
        tests=(QUEUES,),
    ),
    Mutant(
        path="tollbook/store/calls/batch.py",
        claim="a batch reads the leg that a root was bridged with last",
        text="talked_with = _talked_with(new, related.counted) - wanted",
        replacement="talked_with = set[LegKey]()",
        tests=(NOTED,),
    ),
    Mutant(
        path="tollbook/store/calls/batch_plan.py",
        claim="the end of a leg makes the row due of the call that it talked with",
        text="bool(changed) or other_touched",
        replacement="bool(changed)",
        tests=(NOTED,),
    ),
    Mutant(
        path="tollbook/store/calls/batch_plan.py",
        claim="a row is not taken for what is noted of its leg",
        text="for stored_leg in stored.values() if stored_leg.leg.is_known}",
        replacement="for stored_leg in stored.values()}",
        tests=(NOTED,),
    ),
    Mutant(
        path="tollbook/store/calls/legs.py",
        claim="a leg of which only something is noted is not up",
        text="stored.leg.end is not None or not stored.leg.is_known",
        replacement="stored.leg.end is not None",
        tests=(NOTED,),
    ),
    Mutant(
        path="esl_listener/decoder.py",
        claim="an event is read for its own kind's headers",
        text="if event.name != kind.name and (named",
        replacement="if False and (named",
        tests=("tests/unit/esl_listener/test_decoder.py",),
    ),
)
