"""The legs of a call as people are shown them: a tree, with the header that named each parent."""

import msgspec

from tollbook.model.call_tree import Call, CallLeg, newest_before
from tollbook.model.leg import ESTIMATED, FROM_CDR_FILE, FROM_LOOK, Facts
from tollbook.model.trunks import TrunkRules

_SOURCES = {FROM_CDR_FILE: "cdr_file", FROM_LOOK: "look", ESTIMATED: "estimate"}


class LegView(msgspec.Struct, frozen=True, kw_only=True):
    """A leg of a call. `leg` numbers the legs from 1, oldest first; `*_ts` are epoch ms of the switch's clock.

    `role` is root, child (of leg `child_of`) or orphan, whose parent was not heard. `parent_uid` is the id that the
    header `named_by` names as its parent. `depth` counts from 0. `known_from` says where its facts come from: create,
    cdr_file, look or end; answer when only that was heard. `ended_by` is event, cdr_file or estimate. `call_number` is
    the variable that states what number is charged. `lives` are the times at which it was created: several after
    `sofia recover`.
    """

    leg: int
    role: str
    child_of: int | None
    depth: int
    parent_uid: str | None
    named_by: str | None
    uid: str
    channel: str
    direction: str
    caller_num: str
    dialed_num: str
    call_number: str | None
    gateway: str | None
    off_net: bool
    off_net_rule: str
    created_ts: int
    answered_ts: int | None
    hangup_ts: int | None
    hangup_cause: str | None
    known_from: str
    ended_by: str | None
    lives: tuple[int, ...]


def leg_views(call: Call, trunk_rules: TrunkRules) -> tuple[LegView, ...]:
    """Return the view of every leg of a call, oldest first."""
    numbers = {leg.order: number for number, leg in enumerate(call.legs, start=1)}
    parents = {numbers[leg.order]: _parent(leg, call, numbers) for leg in call.legs}
    return tuple(_view(number, leg, call, parents, trunk_rules) for number, leg in enumerate(call.legs, start=1))


def _parent(leg: CallLeg, call: Call, numbers: dict[tuple[int, str], int]) -> int | None:
    parent = leg.origin.parent
    if leg is call.root or parent is None:
        return None
    found = newest_before([other for other in call.legs if other.uid == parent.uid], leg)
    return numbers[found.order] if found else None


def _view(number: int, leg: CallLeg, call: Call, parents: dict[int, int | None], trunk_rules: TrunkRules) -> LegView:
    depth, above = 0, parents[number]
    while above is not None:
        depth, above = depth + 1, parents[above]
    origin, end, is_root = leg.origin, leg.end, leg is call.root
    parent = None if is_root else origin.parent
    off_net, rule = trunk_rules.verdict(origin)
    return LegView(
        leg=number,
        role="root" if is_root else "orphan" if parents[number] is None else "child",
        child_of=parents[number],
        depth=depth,
        parent_uid=parent.uid if parent else None,
        named_by=parent.named_by if parent else None,
        uid=leg.uid,
        channel=origin.channel,
        direction="outbound" if origin.outbound else "inbound",
        caller_num=origin.caller,
        dialed_num=leg.sent_number,
        call_number=origin.call_number or leg.outcome.call_number or None,
        gateway=origin.gateway or None,
        off_net=off_net,
        off_net_rule=rule,
        created_ts=leg.created_us // 1000,
        answered_ts=leg.answered_us // 1000 or None,
        hangup_ts=end.hangup_us // 1000 if end else None,
        hangup_cause=(end.cause or None) if end else None,
        known_from=_known_from(leg),
        ended_by=_SOURCES.get(end.source, "event") if end else None,
        lives=tuple(record.created_us // 1000 for record in leg.records),
    )


def _known_from(leg: CallLeg) -> str:
    if leg.heard_create or leg.origin.source == FROM_LOOK:
        return _SOURCES.get(leg.origin.source, "create")
    return "end" if leg.origin.source != ESTIMATED and leg.origin != Facts() else "answer"
