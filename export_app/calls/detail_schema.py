"""What `/v1/calls/{id}` answers with, as the OpenAPI document shows it."""

from typing import Literal

from pydantic import ConfigDict, Field

from export_app.calls.schema import FOR_OPERATORS, OF_CARRIER, Call, DetailsOfCall, Recording
from export_app.web.schema import ResponseModel, without_default
from tollbook.model.vocabulary import Direction, PriceCause


class LegQuality(ResponseModel):
    """How well the switch received this party; how well the party heard the other one is not known."""

    rx_mos: float | None = Field(description="Mean opinion score, 1 to 5; null: `why` says why the figure is none.")
    packets_in: int = Field(description="Media packets that the switch received.")
    packets_skipped: int = Field(description="That it did not get or could not use: lost, on hold, or silence.")
    why: str = Field(description="Which figure this is, or why there is none; for people.")


class Hold(ResponseModel):
    """When a party held the call."""

    from_ts: int = Field(description="Epoch ms.")
    until_ts: int = Field(description="Epoch ms, not included.")


class Leg(ResponseModel):
    """A leg of a call: one channel of the switch."""

    leg: int = Field(description="Its number in this call, in the order the legs were made; the rules use it.")
    role: Literal["root", "child", "orphan"] = Field(description="Orphan: no event of its parent was received.")
    child_of: int | None = Field(description="The number of the leg that it was made for.")
    depth: int = Field(description="How many legs are above it.")
    parent_uid: str | None = Field(description="The id of the leg that it was made for, known or not.")
    named_by: str | None = Field(description="The header that names its parent.")
    uid: str = Field(description="The switch's id of the channel.")
    channel: str | None = Field(description=f"The switch's name of it. {OF_CARRIER}")
    direction: Literal["inbound", "outbound"] = Field(description="The channel's: inbound came to the switch.")
    caller_num: str
    dialed_num: str
    call_number: str | None = Field(description="The number that an operator's variable says is charged.")
    gateway: str | None = Field(description=f"The switch's name for the trunk that it went over. {OF_CARRIER}")
    off_net: bool
    off_net_rule: str = Field(description="The rule by which it is off-net, or is not.")
    of_carrier: bool = Field(description="Its far end is one of the operator's carriers.")
    created_ts: int = Field(description="Epoch ms.")
    progress_ts: int | None = Field(description="When it rang, epoch ms.")
    progress_media_ts: int | None = Field(description="When it sent early media, epoch ms.")
    answered_ts: int | None = Field(description="Epoch ms; null: not answered.")
    hangup_ts: int | None = Field(description="Epoch ms; null: it is up.")
    pdd_ms: int | None = Field(
        description="From its own creation until it rang, sent early media or was answered; null for inbound legs."
    )
    hold_ms: int | None = Field(description="For which this party held the call.")
    holds: list[Hold] = Field(description="When it held the call: those that make up `hold_ms`.")
    hangup_cause: str | None
    hangup_disposition: str | None = Field(
        description="Who ended the leg, as mod_sofia writes it: recv_bye and recv_cancel: its party; send_bye: the"
        " switch; recv_refuse: its party refused it; …"
    )
    sip_status: int | None = Field(description=f"The final SIP response that refused it. {OF_CARRIER}")
    sip_call_id: str | None = Field(description=f"To find it in a SIP trace. {OF_CARRIER}")
    source_ip: str | None = Field(description=f"The address of who made it, or answered it. {OF_CARRIER}")
    user_agent: str | None = Field(description=f"What its party's device or switch calls itself. {OF_CARRIER}")
    codec: str | None
    quality: LegQuality | None = Field(description="Null: the end of the leg says nothing of its media.")
    recordings: list[Recording]
    known_from: Literal["create", "cdr_file", "look", "import", "end", "answer"] = Field(
        description="create: its CHANNEL_CREATE was received. Otherwise what it is known from instead."
    )
    ended_by: Literal["event", "cdr_file", "import", "estimate"] | None = Field(description="What says that it ended.")
    lives: list[int] = Field(description="When it was created, epoch ms: more than once after `sofia recover`.")


class RateTerms(ResponseModel):
    """The rate that priced a part."""

    prefix: str
    per_min_micros: int
    connection_fee_micros: int
    first_increment_sec: int
    increment_sec: int
    valid_from_ts: int = Field(description="Epoch ms.")
    valid_to_ts: int | None = Field(description="Epoch ms, not included; null: for ever.")


class PricePart(ResponseModel):
    """One thing that the call is charged for."""

    direction: Direction
    number: str
    seconds: int
    leg: int | None = Field(description="The leg that is charged; null: the call itself, or no longer known.")
    charged: str | None = Field(description="Why it is charged; null: the settings have changed since.")
    billed_sec: int | None = Field(description="Seconds after increments.")
    digits: str | None = Field(description="The number as prefixes were compared with it: E.164 by a dial plan.")
    rate_id: int | None
    rate: str | None = Field(description="The name of the rate that priced it.")
    plan: str | None = Field(description="The plan that the rate belongs to: the account's own, or its base.")
    version: int | None = Field(description="The version of that plan which brought the rate.")
    terms: RateTerms | None = Field(description="Null: no rate.")
    cost_micros: int | None
    priced: str = Field(description="The arithmetic.")


class FormerPrice(ResponseModel):
    """What the call cost, and whom, until it got another price or another account."""

    account_id: str | None = Field(description="The account that it was the price for.")
    cost_micros: int | None
    currency: str | None
    unrated: str | None
    replaced_ts: int = Field(description="When it was replaced, epoch ms.")
    cause: PriceCause = Field(
        description="What replaced it: rerate: it was priced again; event: an event that came late; cdr_file: the"
        " switch's CDR file; archive: the archive had another price than the row that replaced its own; other: by hand."
        " joined is not seen here: such a call is part of another one."
    )


class CallPrice(ResponseModel):
    """What the call costs, and why."""

    cost_micros: int | None
    currency: str | None
    unrated: str | None = Field(description="Why a finished call has no price.")
    total: str
    parts: list[PricePart]
    before: list[FormerPrice] = Field(
        description="The prices it had before, oldest first. An account's key sees those that were for its account."
    )


class CallDetail(Call, DetailsOfCall):
    """A call, explained. `gateway` and `sip_status` are absent for an account's key, unless the setting opens them."""

    model_config = ConfigDict(frozen=True)

    switch: str = Field(description="Which switch it went through.")
    revision: int = Field(description="0 while the call is up, 1 when complete, one more each time it was corrected.")
    estimated: bool = Field(
        description="The end of a leg is an estimate, or the switch's clock was set back during the call."
    )
    gateway: str | None = Field(
        default=None,
        description=f"That answered, or that was tried last. {FOR_OPERATORS}",
        json_schema_extra=without_default,
    )
    sip_status: int | None = Field(
        default=None,
        description=f"The last carrier's final answer when none answered. {FOR_OPERATORS}",
        json_schema_extra=without_default,
    )
    note: str | None = Field(
        description="What to know before reading on, for example that the legs are no longer kept."
    )
    legs: list[Leg] = Field(description="In the order in which they were made.")
    rules: dict[str, str] = Field(
        description="For each column and each detail, the rule that gave its value, as a sentence."
    )
    price: CallPrice


class CallDetails(ResponseModel):
    """The calls of an id, newest first: more than one where a switch used the id again, or two the same one."""

    ok: Literal[True]
    calls: list[CallDetail]
