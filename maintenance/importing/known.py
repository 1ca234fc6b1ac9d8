"""Whether a call that is to be imported is in the book already. Pure.

Records that state whole seconds give a call another key than the switch's own events do: the same id in the same second
is the same call. Of two that differ by whole quarters of an hour, one is most likely in the wrong zone, and would be
the same call a second time. So would a leg whose other leg was imported without it.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

from tollbook.model.call_key import CallKey
from tollbook.model.call_span import CallSpan, same_call
from tollbook.store.calls.recorded import Recorded
from tollbook.times import MS_PER_HOUR, written

#: No two zones differ by more.
MOST_APART_MS: Final = 26 * MS_PER_HOUR
_QUARTER_MS: Final = MS_PER_HOUR // 4
_MS_PER_SECOND: Final = 1000

Known: TypeAlias = Literal["known"]


def by_id(recorded: Iterable[Recorded]) -> defaultdict[str, list[Recorded]]:
    """Return what is recorded, by the id of the call; more can be added."""
    found: defaultdict[str, list[Recorded]] = defaultdict(list)
    for each in recorded:
        found[each.call_id].append(each)
    return found


def judge(call: CallSpan, recorded: Iterable[Recorded]) -> Known | str | None:
    """Return "known", None for a call that is new, or why nobody can tell. `recorded`: what has the call's id."""
    second = call.key.start_ts // _MS_PER_SECOND
    others = list(recorded)
    same_switch = [each for each in others if each.switch == call.key.switch]
    if any(each.start_ts // _MS_PER_SECOND == second for each in same_switch):
        return "known"
    spans = [
        CallSpan(CallKey(each.start_ts, each.call_id, each.switch), each.end_ts)
        for each in same_switch
        if each.end_ts is not None
    ]
    if same_call(call, spans):
        return "known"
    for each in others:
        if each.switch != call.key.switch and each.start_ts // _MS_PER_SECOND == second:
            return (
                f"switch {each.switch} has a call of this id that began in the same second: name it with"
                f" `--switch {each.switch}`, if these are its records"
            )
        apart_s = abs(each.start_ts // _MS_PER_SECOND - second)
        if apart_s and not apart_s % (_QUARTER_MS // _MS_PER_SECOND):
            return (
                f"the call of this id began at {written(each.start_ts)}, {apart_s / 3600:g} h from this one: is"
                " `--timezone` that of the machine that wrote the records?"
            )
    return None


def other_leg_there(call: CallSpan, recorded: Iterable[Recorded]) -> str | None:
    """Return why a call is refused of which another leg is there already; None if none is.

    `recorded`: what has the ids of its other legs. A record of mod_cdr_csv does not say which of its two legs it is, so
    the one that comes alone could be either.
    """
    for each in recorded:
        if each.switch == call.key.switch and abs(each.start_ts - call.key.start_ts) <= MOST_APART_MS:
            return (
                f"its other leg, {each.call_id}, is there already: as a call of its own it would count twice. Leave it"
                " out, and name the files of both legs in one command where neither has been imported yet"
            )
    return None
