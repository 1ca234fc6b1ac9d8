"""The legs of a call as people are shown them: a tree, with the header that named each parent."""

from typing import Self

import msgspec

from tollbook.model.call_leg import CallLeg
from tollbook.model.call_tree import Call, parent_among
from tollbook.model.explain.detail_sentences import MOS
from tollbook.model.explain.sentences import Sentences
from tollbook.model.leg import ESTIMATED, FROM_CDR_FILE, FROM_LOOK, IMPORTED, Facts
from tollbook.model.rules.decision import Decision
from tollbook.model.rules.details.holding import decide_hold, holds_in
from tollbook.model.rules.details.quality import decide_codec, decide_mos
from tollbook.model.rules.details.recordings import decide_recordings
from tollbook.model.rules.details.ringing import own_delay_ms
from tollbook.model.rules.details.signalling import decide_sip_call_id, decide_source_ip
from tollbook.model.rules.details.trunk import trunk_legs
from tollbook.model.trunks import TrunkRules

_SOURCES = {FROM_CDR_FILE: "cdr_file", FROM_LOOK: "look", IMPORTED: "import", ESTIMATED: "estimate"}


class LegQuality(msgspec.Struct, frozen=True, kw_only=True):
    """How well the switch received this party: never how well the party heard the other one.

    `rx_mos` is a mean opinion score from 1 to 5; None where `why` says that the switch's figure means nothing, or that
    there is none. `packets_in` are the media packets received, `packets_skipped` those that it did not get or did not
    expect: holds and silence, too.
    """

    rx_mos: float | None
    packets_in: int
    packets_skipped: int
    why: str


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """When a party held the call: [from_ts, until_ts), epoch ms."""

    from_ts: int
    until_ts: int


class LegView(msgspec.Struct, frozen=True, kw_only=True):
    """A leg of a call. `leg` numbers the legs from 1, oldest first; `*_ts` are epoch ms of the switch's clock.

    `role` is root, child (of leg `child_of`) or orphan, whose parent was not heard. `parent_uid` is the id that the
    header `named_by` names as its parent. `depth` counts from 0. `known_from` says where its facts come from: create,
    cdr_file, look, import or end; answer when only that was heard. `ended_by` is event, cdr_file, import or estimate.
    `call_number` is the variable that states what number is charged. `lives` are the times at which it was created:
    several after `sofia recover`.

    `of_carrier`: its far end is one of the operator's carriers. `progress_ts` is when it rang, `progress_media_ts` when
    it sent early media. `pdd_ms`, of a leg that the switch made, is its own delay: from its creation until it rang,
    sent early media or was answered. `source_ip` is the address of who made the leg, or answered it.
    `hangup_disposition` says who ended the leg, as mod_sofia writes it. `sip_status` is the final SIP response that
    refused it. `quality` is None of a leg whose end states nothing of its media. `recordings` are paths as the switch
    states them.
    """

    leg: int
    role: str
    child_of: int | None
    depth: int
    parent_uid: str | None
    named_by: str | None
    uid: str
    channel: str | None
    direction: str
    caller_num: str
    dialed_num: str
    call_number: str | None
    gateway: str | None
    off_net: bool
    off_net_rule: str
    of_carrier: bool
    created_ts: int
    progress_ts: int | None
    progress_media_ts: int | None
    answered_ts: int | None
    hangup_ts: int | None
    pdd_ms: int | None
    hold_ms: int | None
    holds: tuple[Hold, ...]
    hangup_cause: str | None
    hangup_disposition: str | None
    sip_status: int | None
    sip_call_id: str | None
    source_ip: str | None
    user_agent: str | None
    codec: str | None
    quality: LegQuality | None
    recordings: tuple[str, ...]
    known_from: str
    ended_by: str | None
    lives: tuple[int, ...]

    def without_far_end(self) -> Self:
        """Return the view without what says who is at the far end, for a reader whose business that is not."""
        return msgspec.structs.replace(
            self, channel=None, gateway=None, sip_status=None, sip_call_id=None, source_ip=None, user_agent=None
        )


def leg_views(call: Call, trunk_rules: TrunkRules, say: Sentences, *, trunk_root: bool) -> tuple[LegView, ...]:
    """Return the view of every leg of a call, oldest first. `trunk_root` as of its row."""
    numbers = {leg.order: number for number, leg in enumerate(call.legs, start=1)}
    parents = {numbers[leg.order]: _parent(leg, call, numbers) for leg in call.legs}
    off_net = [leg for leg in call.legs if trunk_rules.verdict(leg.origin)[0]]
    carriers = {leg.order for leg in trunk_legs(call.legs, off_net)}
    carriers |= {leg.order for leg in call.legs if trunk_rules.arrival(leg.origin) == "outside"}
    if trunk_root and call.root is not None:
        carriers.add(call.root.order)
    return tuple(
        _view(number, leg, call, parents, trunk_rules, say, of_carrier=leg.order in carriers)
        for number, leg in enumerate(call.legs, start=1)
    )


def own_legs(call: Call, trunk_rules: TrunkRules, account_id: str | None, *, trunk_root: bool) -> frozenset[int]:
    """Return the numbers of the legs whose far ends are the account's own: its phones, and who made the call.

    Of all others an account learns no address: they are a carrier's, another account's, or nothing says whose.
    """
    return frozenset(
        number
        for number, leg in enumerate(call.legs, start=1)
        if (leg is call.root and not trunk_root)
        or (
            account_id is not None
            and (leg.outcome.account or leg.origin.account) == account_id
            and trunk_rules.is_phone(leg.origin)
        )
    )


def _parent(leg: CallLeg, call: Call, numbers: dict[tuple[int, str], int]) -> int | None:
    parent = leg.origin.parent
    if leg is call.root or parent is None:
        return None
    found = parent_among([other for other in call.legs if other.uid == parent.uid], leg)
    return numbers[found.order] if found else None


def _view(
    number: int,
    leg: CallLeg,
    call: Call,
    parents: dict[int, int | None],
    trunk_rules: TrunkRules,
    say: Sentences,
    *,
    of_carrier: bool,
) -> LegView:
    depth, above = 0, parents[number]
    while above is not None:
        depth, above = depth + 1, parents[above]
    origin, end, is_root = leg.origin, leg.end, leg is call.root
    parent = None if is_root else origin.parent
    off_net, rule = trunk_rules.verdict(origin)
    outcome, details = leg.outcome, leg.outcome.details
    noted = [(leg, record.noted) for record in leg.records if record.noted is not None]
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
        of_carrier=of_carrier,
        created_ts=leg.created_us // 1000,
        progress_ts=outcome.progress_us // 1000 or None,
        progress_media_ts=details.progress_media_us // 1000 or None if details else None,
        answered_ts=leg.answered_us // 1000 or None,
        hangup_ts=end.hangup_us // 1000 if end else None,
        pdd_ms=own_delay_ms(leg) if origin.outbound else None,
        hold_ms=decide_hold((leg,), answered=bool(leg.answered_us)).value,
        holds=_holds(leg),
        hangup_cause=(end.cause or None) if end else None,
        hangup_disposition=details.hangup_disposition or None if details else None,
        sip_status=details.failure_status or None if details else None,
        sip_call_id=decide_sip_call_id(leg).value,
        source_ip=decide_source_ip(leg).value,
        user_agent=details.user_agent or None if details else None,
        codec=decide_codec(leg).value,
        quality=_quality(leg, say),
        recordings=decide_recordings(noted).value,
        known_from=_known_from(leg),
        ended_by=_SOURCES.get(end.source, "event") if end else None,
        lives=tuple(record.created_us // 1000 for record in leg.records),
    )


def _holds(leg: CallLeg) -> tuple[Hold, ...]:
    details = leg.outcome.details
    if details is None or not leg.answered_us:
        return ()
    found = holds_in(details.hold_events, leg.began_us, leg.outcome.hangup_us) or ()
    return tuple(
        Hold(from_ts=from_us // 1000, until_ts=until_us // 1000) for from_us, until_us in found if from_us < until_us
    )


def _quality(leg: CallLeg, say: Sentences) -> LegQuality | None:
    details = leg.outcome.details
    if details is None or not (details.mos or details.packets_in):
        return None
    mos = decide_mos(leg)
    return LegQuality(
        rx_mos=mos.value,
        packets_in=details.packets_in,
        packets_skipped=details.packets_skipped,
        why=say.of(MOS, Decision(mos.value, mos.rule, (leg,))),
    )


def _known_from(leg: CallLeg) -> str:
    if leg.heard_create or leg.origin.source == FROM_LOOK:
        return _SOURCES.get(leg.origin.source, "create")
    return "end" if leg.origin.source != ESTIMATED and leg.origin != Facts() else "answer"
