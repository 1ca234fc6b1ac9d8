"""A leg: one life of one FreeSWITCH channel, and the facts that its events state about it.

Facts only accumulate. `Leg.merged` is commutative, associative and idempotent, because each slot keeps the smallest of
a total order: no order of events, no duplicate and no second listener changes the leg that results.
"""

import re
from collections.abc import Iterable
from typing import Final, Self, TypeAlias

import msgspec

from tollbook.model.event import SwitchEvent, cut_text
from tollbook.model.leg_details import LegDetails, leg_details_of
from tollbook.model.notes import Notes, notes_of
from tollbook.model.parent import Parent, parent_named_by
from tollbook.times import clock_us

# Which source is believed when two state the same fact: the smaller.
FROM_EVENT: Final = 0
FROM_CDR_FILE: Final = 1
FROM_LOOK: Final = 2
IMPORTED: Final = 3
ESTIMATED: Final = 9

# An event's number is 64 bits wide in the switch, and no larger one can be written as JSON.
_SEQUENCE_UNTIL: Final = 1 << 63
# FreeSWITCH makes no longer ids, and one would not fit the index.
_LONGEST_ID_BYTES: Final = 256

#: The identity of a leg: (switch, Unique-ID, Caller-Channel-Created-Time in µs).
LegKey: TypeAlias = tuple[str, str, int]


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What one event states about its leg. Texts are '' and `*_us` (epoch µs, the switch's clock) 0 when absent.

    `sequence` is the Event-Sequence of a CHANNEL_CREATE: the order in which one switch process made its legs, whatever
    its clock did; 0 when absent. `source_ip`: where a leg that came in came from; `reply_ip`: who answered a leg that
    was sent out. `vars`: the operator's variables that the leg has, by name. `details`: what only an end states.
    `imported`: from which format and file `tollbook import` read it, and `billed_elsewhere` whether its call is not to
    be priced, because the system that it comes from has billed it.
    """

    at_us: int = 0
    sequence: int = 0
    source: int = FROM_EVENT
    outbound: bool = False
    recovered: bool = False
    channel: str = ""
    parent: Parent | None = None
    caller: str = ""
    ani: str = ""
    dialed: str = ""
    original_dialed: str = ""
    req_user: str = ""
    call_number: str = ""
    user: str = ""
    dialed_user: str = ""
    gateway: str = ""
    profile: str = ""
    host: str = ""
    source_gateway: str = ""
    source_ip: str = ""
    reply_ip: str = ""
    sip_call_id: str = ""
    account: str = ""
    cdr_direction: str = ""
    call_direction: str = ""
    cc_side: str = ""
    cc_queue: str = ""
    cc_agent: str = ""
    cc_agent_bridged: bool = False
    cc_cause: str = ""
    fifo_bridge: str = ""
    fifo_serviced_by: str = ""
    last_app: str = ""
    last_arg: str = ""
    originate_disposition: str = ""
    last_bridge_cause: str = ""
    cause: str = ""
    answered_us: int = 0
    progress_us: int = 0
    hangup_us: int = 0
    vars: tuple[tuple[str, str], ...] = ()
    details: LegDetails | None = None
    imported: str = ""
    billed_elsewhere: bool = False

    @property
    def loopback(self) -> bool:
        """Whether the channel is one of mod_loopback's, which no wire carries."""
        return self.channel.startswith("loopback/")

    @property
    def module(self) -> str:
        """The endpoint module of the channel, in lower case: sofia, freetdm, verto (whose channels are verto.rtc/…)."""
        return self.channel.partition("/")[0].partition(".")[0].lower()


_encode = msgspec.json.Encoder().encode


def _preferred(left: Facts | None, right: Facts | None) -> Facts | None:
    """Choose one of two statements: the better source, else the earlier, else (for a total order) the smaller bytes."""
    if left is None or left is right:
        return right
    if right is None:
        return left
    left_rank, right_rank = (left.source, left.at_us), (right.source, right.at_us)
    if left_rank != right_rank:
        return left if left_rank < right_rank else right
    return left if left == right or _encode(left) < _encode(right) else right


class Leg(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The facts known of one leg, as it is stored: one for each (switch, uid, created_us).

    `create` comes from CHANNEL_CREATE, `look` from a `uuid_dump` of the live channel, and `end` from
    CHANNEL_HANGUP_COMPLETE, from the switch's JSON CDR or, marked ESTIMATED, from the last sign of life. `answered_us`
    comes from CHANNEL_ANSWER, `noted` from what else is heard of the leg. `core` is the Core-UUID of the process it
    belongs to, `seen_us` the newest event time seen of it.
    """

    switch: str
    uid: str
    created_us: int
    core: str = ""
    seen_us: int = 0
    answered_us: int = 0
    create: Facts | None = None
    look: Facts | None = None
    end: Facts | None = None
    noted: Notes | None = None

    @property
    def is_known(self) -> bool:
        """Whether an event or a look stated the leg. Of others only something was noted: they make no row."""
        return bool(self.create or self.end or self.look or self.answered_us)

    @property
    def noted_of_any_life(self) -> bool:
        """Whether it is what an event states that names a leg by its id alone, and not by its creation.

        Its Created-Time is that of the event (`_of_member`), which states nothing else.
        """
        return not self.is_known and self.noted == Notes(bridged_us=(self.created_us,))

    @property
    def key(self) -> LegKey:
        """The identity of the leg."""
        return (self.switch, self.uid, self.created_us)

    def merged(self, other: Self) -> Self:
        """Merge what two observers know of the same leg."""
        return type(self)(
            switch=self.switch,
            uid=self.uid,
            created_us=self.created_us,
            core=max(self.core, other.core),
            seen_us=max(self.seen_us, other.seen_us),
            answered_us=min(self.answered_us or other.answered_us, other.answered_us or self.answered_us),
            create=_preferred(self.create, other.create),
            look=_preferred(self.look, other.look),
            end=_preferred(self.end, other.end),
            noted=self.noted.merged(other.noted) if self.noted and other.noted else self.noted or other.noted,
        )


def merge_all(legs: Iterable[Leg]) -> dict[LegKey, Leg]:
    """Merge partial legs into one leg for each key."""
    known: dict[LegKey, Leg] = {}
    for leg in legs:
        key = leg.key
        before = known.get(key)
        known[key] = leg if before is None else before.merged(leg)
    return known


def facts_of(event: SwitchEvent, source: int = FROM_EVENT, details: LegDetails | None = None) -> Facts:
    """Return what the rules need of an event. Absurd times are 0. `details`: what the event states if it is an end."""
    outbound = event.channel_direction == "outbound"
    return Facts(
        at_us=event.at_us,
        sequence=event.sequence if event.name == "CHANNEL_CREATE" and 0 < event.sequence < _SEQUENCE_UNTIL else 0,
        source=source,
        outbound=outbound,
        recovered=event.recovered == "true",
        channel=event.channel,
        parent=parent_named_by(event),
        caller=event.caller,
        ani=event.ani if event.ani != event.caller else "",
        dialed=event.dialed,
        original_dialed=event.original_dialed,
        req_user=event.req_user,
        call_number=event.call_number,
        user=event.user,
        dialed_user=event.dialed_user,
        gateway=event.gateway,
        profile=event.profile,
        host=_host(event.destination_url) if event.destination_url else "",
        # A leg that was sent out has the address of who replied, which says nothing of where the call came from.
        source_gateway="" if outbound else event.source_gateway,
        source_ip="" if outbound else event.source_ip,
        reply_ip=event.source_ip if outbound else "",
        sip_call_id=event.sip_call_id,
        account=event.account,
        cdr_direction=event.cdr_direction,
        call_direction=event.call_direction,
        cc_side=event.cc_side,
        cc_queue=event.cc_queue,
        cc_agent=event.cc_agent,
        cc_agent_bridged=event.cc_agent_bridged == "true",
        cc_cause=event.cc_cause,
        fifo_bridge=event.fifo_bridge,
        fifo_serviced_by=event.fifo_serviced_by,
        last_app=event.last_app,
        last_arg=event.last_arg,
        originate_disposition=event.originate_disposition,
        last_bridge_cause=event.last_bridge_cause,
        cause=event.cause,
        answered_us=clock_us(event.answered_us),
        progress_us=clock_us(event.progress_us),
        hangup_us=clock_us(event.hangup_us),
        vars=event.vars,
        details=details,
    )


_SIP_HOST = re.compile(r"(?:sips?:)?(?:[^@]*@)?(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:;?>]+))")


def _host(url: str) -> str:
    """Return the host of a SIP URL: `sip:15551230001@sbc.example:5060;transport=tcp`, `sip:[2001:db8::1]`."""
    found = _SIP_HOST.match(url.strip("<>"))
    return cut_text(found[1] or found[2]) if found else ""


def end_as_lost(leg: Leg, last_sign_us: int) -> Leg:
    """Return a leg that nobody will hang up any more, ended at its last sign of life (epoch µs).

    That end is an estimate: any other is believed before it.
    """
    at_us = max(leg.seen_us, clock_us(last_sign_us), leg.created_us)
    known = leg.create or leg.look or Facts()
    end = msgspec.structs.replace(known, at_us=at_us, source=ESTIMATED, hangup_us=at_us, answered_us=leg.answered_us)
    return msgspec.structs.replace(leg, end=end)


def leg_of(event: SwitchEvent, switch: str) -> Leg | None:
    """Return what an event states about its leg; None when it makes none.

    An event makes no leg without a Unique-ID or a sane Created-Time, with an id of more than 256 bytes, or when it is
    not one that states or notes something about a leg.
    """
    created_us = clock_us(event.created_us)
    if event.queue_member and event.cc_action == "bridge-agent-start" and event.cc_agent_type != "callback":
        return _of_member(event, switch)
    if not created_us or not event.uid or len(event.uid.encode()) > _LONGEST_ID_BYTES:
        return None
    at_us = clock_us(event.at_us)
    create = look = end = None
    answered_us = 0
    match event.name:
        case "CHANNEL_CREATE":
            create = facts_of(event)
        case "CHANNEL_ANSWER":
            answered_us = clock_us(event.answered_us) or at_us
        case "CHANNEL_DATA":
            look = facts_of(event, FROM_LOOK)
        case "CHANNEL_HANGUP_COMPLETE":
            end = facts_of(event, details=leg_details_of(event))
            if not end.hangup_us:
                end = msgspec.structs.replace(end, hangup_us=at_us or created_us)
        case _:
            noted = notes_of(event, at_us)
            # It says nothing of when the leg was up: a recording is written, and a queue left, after the hangup.
            return Leg(switch=switch, uid=event.uid, created_us=created_us, noted=noted) if noted else None
    return Leg(
        switch=switch,
        uid=event.uid,
        created_us=created_us,
        core=event.core,
        seen_us=at_us,
        answered_us=answered_us,
        create=create,
        look=look,
        end=end,
    )


def _of_member(event: SwitchEvent, switch: str) -> Leg | None:
    """Return what a queue's event about a standby agent's leg notes of the caller's, which is another call's leg.

    It does not say when that leg was created: it belongs to the life of the id in which it falls.
    """
    at_us = clock_us(event.at_us)
    noted = notes_of(event, at_us)
    if noted is None or not noted.bridged_us or len(event.queue_member.encode()) > _LONGEST_ID_BYTES:
        return None
    return Leg(switch=switch, uid=event.queue_member, created_us=at_us, noted=noted)
