"""A sentence for each rule by which a detail of a call came to its value. Nothing is decided here.

A detail that is null has a sentence that begins with `nothing says` where nothing states it, and with `none` where what
is stated leaves nothing to say. The fields in braces are those of `sentences.py`.
"""

from collections.abc import Mapping
from typing import Final

from tollbook.model.explain.sentences import Sentences
from tollbook.model.rules.decision import Decision, Rule, Value
from tollbook.model.rules.details.decide import DecidedDetails
from tollbook.model.rules.details.holding import HoldRule
from tollbook.model.rules.details.hung_up_by import HungUpByRule
from tollbook.model.rules.details.quality import LEAST_PACKETS, CodecRule, MosRule
from tollbook.model.rules.details.recordings import RecordingsRule, VoicemailRule
from tollbook.model.rules.details.ringing import RingingRule
from tollbook.model.rules.details.signalling import ImportedRule, StatedRule
from tollbook.model.rules.details.talking import TalkRule
from tollbook.model.rules.details.trunk import GatewayRule, StatusRule
from tollbook.model.rules.details.waiting import WaitRule

_NOTHING_SAYS: Final = "nothing says"
_SAID: Final = "sip_hangup_disposition of {leg} says {said}"
_SIGN: Final = "the first sign of life of {leg}, at {rang_at}"
_NOBODY_RANG: Final = "none: no called leg rang, sent early media or was answered"
_TOO_LATE: Final = (
    "none: whoever was called rang after the caller's leg was answered, as in a queue or behind an IVR, or the switch's"
    " clock was set back"
)
_NO_TRUNK: Final = "none: no leg is a trunk leg"

HUNG_UP_BY: Final[Mapping[HungUpByRule, str]] = {
    "caller hung up": "sip_hangup_disposition of {root} says {said}",
    "callee hung up": f"{_SAID}, and it ended with {{root}}",
    "callee hung up after the caller left": f"the caller left by a transfer, and then {_SAID}",
    "nobody hung up after the caller left": "the caller left by a transfer, and no party of {legs}, which ended last,"
    " hung up",
    "nobody hung up": "neither the party of {root} hung up, whose sip_hangup_disposition says {said}, nor that of a"
    " called leg that ended with it",
    "no leg says": "nothing says: a leg that could tell has no sip_hangup_disposition",
    "estimated end": "nothing says: the end of {root} is an estimate",
}
PDD: Final[Mapping[RingingRule, str]] = {
    "first called leg that rang": f"from the creation of {{root}} to {_SIGN}",
    "far leg of an originate": "the switch made the call: from the creation of {leg} to its own first sign of life,"
    " at {rang_at}",
    "no called leg rang": _NOBODY_RANG,
    "rang after the answer": _TOO_LATE,
}
RING: Final[Mapping[RingingRule, str]] = {
    "first called leg that rang": f"from {_SIGN}, until {{root}} was answered, or hung up",
    "far leg of an originate": f"the switch made the call: from {_SIGN}, until it was answered, or hung up",
    "no called leg rang": _NOBODY_RANG,
    "rang after the answer": _TOO_LATE,
}
WAIT: Final[Mapping[WaitRule, str]] = {
    "until an agent was connected": "from when {leg} joined the queue until an agent was connected ({legs})",
    "until the queue was left": "from when {leg} joined the queue until it left it, or the caller hung up",
    "by the switch's seconds": "by the whole seconds that {leg} has at its end (cc_queue_joined_epoch and others)",
    "no queue": "none: the caller waited in no queue",
    "no end of the wait": "nothing says: a leg joined a queue, and no time at which it left it is stated",
}
TALK: Final[Mapping[TalkRule, str]] = {
    "while the agent's leg was up": "from the answer of {leg}, the agent's, until its end",
    "from the standby agent on": "from when the standby agent was connected until {leg} left the agent, or hung up",
    "by the switch's seconds": "from {leg}'s whole second cc_queue_answered_epoch until it left the agent or hung up",
    "no agent": "none: no agent of a queue took the call",
    "no beginning of the talk": "nothing says: a standby agent took the call, and no time of that is stated",
}


def _stated(variable: str) -> Mapping[StatedRule, str]:
    return {"stated": f"{variable} of {{leg}}", "not stated": f"nothing says: {{leg}} has no {variable}"}


HOLD: Final[Mapping[HoldRule, str]] = {
    "legs on hold": "while at least one party held, by hold_events of {legs}",
    "no leg on hold": "no leg has hold_events",
    "not answered": "none: not answered",
    "a leg does not say": "nothing says: an answered leg has no end that would state its holds",
    "unreadable": "nothing says: hold_events of {leg} are not what the switch writes, or are too long",
}
MOS: Final[Mapping[MosRule, str]] = {
    "stated mos": "rtp_audio_in_mos of {leg}: of what the switch received from this party",
    "too few packets": f"nothing says: from the party of {{leg}} the switch received {{packets_in}} media packets, and"
    f" under {LEAST_PACKETS} its figure means nothing",
    "more skipped than received": "nothing says: from the party of {leg} the switch skipped more packets than it"
    " received, and its figure means nothing",
    "no mos": "nothing says: {leg} has no rtp_audio_in_mos",
}
CODEC: Final[Mapping[CodecRule, str]] = {
    "stated codec": "rtp_use_codec_name of {leg}",
    "media only passed through": "none: the media of {leg} only passed through the switch",
    "no codec": "nothing says: {leg} has no rtp_use_codec_name",
}
SIP_CALL_ID: Final = _stated("sip_call_id")
SOURCE_IP: Final = _stated("sip_network_ip")
GATEWAY: Final[Mapping[GatewayRule, str]] = {
    "first answered trunk leg": "sip_gateway_name of {leg}, the first trunk leg that was answered",
    "last trunk leg": "sip_gateway_name of {leg}, the trunk leg that was made last: none was answered",
    "no trunk leg": _NO_TRUNK,
}
SIP_STATUS: Final[Mapping[StatusRule, str]] = {
    "status of last trunk leg": "sip_invite_failure_status of {leg}, the trunk leg that was made last: none was"
    " answered",
    "a trunk leg answered": "none: a trunk leg was answered",
    "no trunk leg": _NO_TRUNK,
}
RECORDINGS: Final[Mapping[RecordingsRule, str]] = {
    "recorded legs": "Record-File-Path of RECORD_STOP of {legs}",
    "no recording": "nothing says: no RECORD_STOP of a leg was heard",
}
VOICEMAIL: Final[Mapping[VoicemailRule, str]] = {
    "message left": "vm::maintenance of {leg} says leave-message",
    "no message": "no vm::maintenance says leave-message",
    "events not heard": "nothing says: the end of {leg} was not heard from the switch itself",
}
VARS: Final[Mapping[StatedRule, str]] = {
    "stated": "of the variables in TOLLBOOK_VARIABLES those of {leg}, as they were at its end, or at its creation",
    "not stated": "nothing says: {leg} has none of the variables in TOLLBOOK_VARIABLES",
}

IMPORTED: Final[Mapping[ImportedRule, str]] = {
    "imported": "`tollbook import` read {root} from this format and file",
    "recorded here": "none: Tollbook recorded the call itself",
}


def rules_of_details(details: DecidedDetails, say: Sentences) -> dict[str, str]:
    """Return the sentence of every detail that the legs decide, by its name."""
    return {
        "hung_up_by": _of(say, HUNG_UP_BY, details.hung_up_by),
        "pdd_ms": _of(say, PDD, details.pdd_ms),
        "ring_ms": _of(say, RING, details.ring_ms),
        "wait_ms": _of(say, WAIT, details.wait_ms),
        "talk_ms": _of(say, TALK, details.talk_ms),
        "hold_ms": _of(say, HOLD, details.hold_ms),
        "rx_mos": _of(say, MOS, details.rx_mos),
        "codec": _of(say, CODEC, details.codec),
        "sip_call_id": _of(say, SIP_CALL_ID, details.sip_call_id),
        "source_ip": _of(say, SOURCE_IP, details.source_ip),
        "gateway": _of(say, GATEWAY, details.gateway),
        "sip_status": _of(say, SIP_STATUS, details.sip_status),
        "recordings": _of(say, RECORDINGS, details.recordings),
        "voicemail": _of(say, VOICEMAIL, details.voicemail),
        "vars": _of(say, VARS, details.vars),
        "imported": _of(say, IMPORTED, details.imported),
    }


def _of(say: Sentences, table: Mapping[Rule, str], decision: Decision[Value, Rule]) -> str:
    sentence = say.of(table, decision)
    # A leg was found, and has not what the rule reads of it.
    unstated = decision.value is None and not sentence.startswith((_NOTHING_SAYS, "none"))
    return f"{_NOTHING_SAYS}: {sentence}" if unstated else sentence
