"""What a leg carried: its SIP Call-ID, where it came from, the operator's variables; and who recorded it.

Of a call, its root's.
"""

from typing import Final, Literal, TypeAlias

from tollbook.model.call_leg import CallLeg
from tollbook.model.rules.decision import Decision

StatedRule: TypeAlias = Literal["stated", "not stated"]
ImportedRule: TypeAlias = Literal["imported", "recorded here"]

_NO_TEXT: Final[Decision[str | None, StatedRule]] = Decision(None, "not stated")
_RECORDED_HERE: Final[Decision[str | None, ImportedRule]] = Decision(None, "recorded here")
_NO_VARS: Final[Decision[dict[str, str], StatedRule]] = Decision({}, "not stated")


def decide_sip_call_id(leg: CallLeg) -> Decision[str | None, StatedRule]:
    """Decide sip_call_id."""
    call_id = leg.outcome.sip_call_id or leg.origin.sip_call_id
    return Decision(call_id, "stated") if call_id else _NO_TEXT


def decide_source_ip(leg: CallLeg) -> Decision[str | None, StatedRule]:
    """Decide source_ip: the address of the device that made the leg, or that answered one which the switch made."""
    outcome, origin = leg.outcome, leg.origin
    address = outcome.source_ip or outcome.reply_ip or origin.source_ip or origin.reply_ip
    return Decision(address, "stated") if address else _NO_TEXT


def decide_vars(root: CallLeg) -> Decision[dict[str, str], StatedRule]:
    """Decide vars: as they were at the end, or, where the end lacks one, at the creation."""
    at_creation, at_end = root.origin.vars, root.outcome.vars
    return Decision(dict(at_creation) | dict(at_end), "stated") if at_creation or at_end else _NO_VARS


def decide_imported(root: CallLeg) -> Decision[str | None, ImportedRule]:
    """Decide imported: by what the root is, whoever states its end."""
    return Decision(root.origin.imported, "imported") if root.origin.imported else _RECORDED_HERE
