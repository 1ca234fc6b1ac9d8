"""Whether two records are of one call, although their keys differ.

A call's key changes when an earlier leg of it is learnt of later: then one tier, or a backup, may have the call as it
was known before, and the other as it is known now.
"""

from collections.abc import Collection
from typing import Final, NamedTuple

from tollbook.model.call_key import CallKey
from tollbook.model.call_tree import Call
from tollbook.times import MS_PER_DAY

#: No earlier is a call looked for that another may be a part of: the switch's own limit is usually some hours.
LONGEST_CALL_MS: Final = MS_PER_DAY


class CallSpan(NamedTuple):
    """A call's key, and when it ended (epoch ms); None while it is up."""

    key: CallKey
    end_ts: int | None


def span_of(call: Call, switch: str) -> CallSpan:
    """Return a call's span, as far as its legs are known."""
    ends = [leg.end.hangup_us for leg in call.legs if leg.end is not None]
    return CallSpan(call.key(switch), max(ends) // 1000 if len(ends) == len(call.legs) else None)


def same_call(call: CallSpan, others: Collection[CallSpan]) -> CallSpan | None:
    """Return which of `others` is the same call by another key, the earliest if there are several; None if none is.

    That is one of the same id and switch at the same time: a switch gives no id to two channels that are up at once,
    and uses one again only when the first has ended.
    """
    same = (other for other in others if other.key != call.key and _overlap(call, other))
    return min(same, key=lambda other: other.key, default=None)


def _overlap(call: CallSpan, other: CallSpan) -> bool:
    if call.key[1:] != other.key[1:]:
        return False
    earlier, later = (call, other) if call.key < other.key else (other, call)
    return earlier.end_ts is None or later.key.start_ts < earlier.end_ts
