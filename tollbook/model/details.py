"""What became of a call beside its 16 columns: who hung up, delays, quality, recordings, the operator's variables.

docs/calls.md has a section for each. A field is None where nothing states it: none is guessed.
"""

from typing import Final, LiteralString

import msgspec

from tollbook.model.vocabulary import HungUpBy

#: The columns that hold the details, in the order in which they are shown. `destination` comes with the price.
DETAIL_COLUMNS: Final[tuple[LiteralString, ...]] = (
    "hung_up_by",
    "pdd_ms",
    "ring_ms",
    "wait_ms",
    "talk_ms",
    "hold_ms",
    "rx_mos",
    "codec",
    "sip_call_id",
    "source_ip",
    "gateway",
    "sip_status",
    "destination",
    "recordings",
    "voicemail",
    "vars",
    "imported",
)
#: Of these alone an operator learns, unless TOLLBOOK_TENANTS_SEE_CARRIERS: they say who the carriers are.
CARRIER_COLUMNS: Final[frozenset[LiteralString]] = frozenset(("gateway", "sip_status"))
#: These do, too, in a row whose root leg is a carrier's (`Row.trunk_root`).
ROOT_COLUMNS: Final[frozenset[LiteralString]] = frozenset(("sip_call_id", "source_ip"))


class Details(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The details of a call as its legs give them; `*_ms` are milliseconds.

    `rx_mos`: the mean opinion score (1 to 5) of what the switch received from the caller. `sip_status`: the final SIP
    response of the last trunk leg when none answered. `recordings`: paths as the switch states them, sorted. `vars`:
    of the variables in TOLLBOOK_VARIABLES those that the root leg has. `imported`: from which format and file
    `tollbook import` read the call; None: Tollbook recorded it itself.
    """

    hung_up_by: HungUpBy | None = None
    pdd_ms: int | None = None
    ring_ms: int | None = None
    wait_ms: int | None = None
    talk_ms: int | None = None
    hold_ms: int | None = None
    rx_mos: float | None = None
    codec: str | None = None
    sip_call_id: str | None = None
    source_ip: str | None = None
    gateway: str | None = None
    sip_status: int | None = None
    recordings: tuple[str, ...] = ()
    voicemail: bool | None = None
    vars: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    imported: str | None = None


#: Of a call that is up, and of one of which nothing is stated.
NO_DETAILS: Final = Details()
