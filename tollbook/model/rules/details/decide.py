"""All details of a call: each decided by a rule of its own, together what a row keeps."""

from collections.abc import Sequence

import msgspec

from tollbook.model.call_leg import CallLeg
from tollbook.model.details import Details
from tollbook.model.rules.decision import Decision
from tollbook.model.rules.details.holding import HoldRule, decide_hold
from tollbook.model.rules.details.hung_up_by import HungUpByRule, decide_hung_up_by
from tollbook.model.rules.details.quality import CodecRule, MosRule, decide_codec, decide_mos
from tollbook.model.rules.details.recordings import (
    NO_RECORDING,
    RecordingsRule,
    VoicemailRule,
    decide_recordings,
    decide_voicemail,
)
from tollbook.model.rules.details.ringing import RingingRule, decide_ringing
from tollbook.model.rules.details.signalling import (
    ImportedRule,
    StatedRule,
    decide_imported,
    decide_sip_call_id,
    decide_source_ip,
    decide_vars,
)
from tollbook.model.rules.details.talking import TalkRule, decide_talk
from tollbook.model.rules.details.trunk import GatewayRule, StatusRule, decide_trunk
from tollbook.model.rules.details.waiting import WaitRule, decide_wait
from tollbook.model.rules.queue import AgentRule
from tollbook.model.vocabulary import HungUpBy


class DecidedDetails(msgspec.Struct, frozen=True, gc=False):
    """The details of a finished call, each value with its rule and its legs."""

    hung_up_by: Decision[HungUpBy | None, HungUpByRule]
    pdd_ms: Decision[int | None, RingingRule]
    ring_ms: Decision[int | None, RingingRule]
    wait_ms: Decision[int | None, WaitRule]
    talk_ms: Decision[int | None, TalkRule]
    hold_ms: Decision[int | None, HoldRule]
    rx_mos: Decision[float | None, MosRule]
    codec: Decision[str | None, CodecRule]
    sip_call_id: Decision[str | None, StatedRule]
    source_ip: Decision[str | None, StatedRule]
    gateway: Decision[str | None, GatewayRule]
    sip_status: Decision[int | None, StatusRule]
    recordings: Decision[tuple[str, ...], RecordingsRule]
    voicemail: Decision[bool | None, VoicemailRule]
    vars: Decision[dict[str, str], StatedRule]
    imported: Decision[str | None, ImportedRule]

    def values(self) -> Details:
        """Return the values alone."""
        return Details(
            hung_up_by=self.hung_up_by.value,
            pdd_ms=self.pdd_ms.value,
            ring_ms=self.ring_ms.value,
            wait_ms=self.wait_ms.value,
            talk_ms=self.talk_ms.value,
            hold_ms=self.hold_ms.value,
            rx_mos=self.rx_mos.value,
            codec=self.codec.value,
            sip_call_id=self.sip_call_id.value,
            source_ip=self.source_ip.value,
            gateway=self.gateway.value,
            sip_status=self.sip_status.value,
            recordings=self.recordings.value,
            voicemail=self.voicemail.value,
            vars=self.vars.value,
            imported=self.imported.value,
        )


def decide_details(
    root: CallLeg,
    legs: Sequence[CallLeg],
    children: Sequence[CallLeg],
    trunk: Sequence[CallLeg],
    bridged_last: CallLeg | None,
    *,
    agent: Decision[str | None, AgentRule],
    answered: bool,
) -> DecidedDetails:
    """Decide the details of a call that has ended.

    `trunk`: its trunk legs, root included. `bridged_last`: the leg of another call that the last leg talked with.
    `agent`: as it was decided for agent_id.
    """
    noted = [(leg, record.noted) for leg in legs for record in leg.stored_records if record.noted is not None]
    pdd_ms, ring_ms = decide_ringing(root, children)
    gateway, sip_status = decide_trunk(trunk)
    return DecidedDetails(
        decide_hung_up_by(root, children, bridged_last),
        pdd_ms,
        ring_ms,
        decide_wait(root, legs, noted),
        decide_talk(root, agent, noted),
        decide_hold(legs, answered=answered),
        decide_mos(root),
        decide_codec(root),
        decide_sip_call_id(root),
        decide_source_ip(root),
        gateway,
        sip_status,
        decide_recordings(noted) if noted else NO_RECORDING,
        decide_voicemail(root, noted),
        decide_vars(root),
        decide_imported(root),
    )
