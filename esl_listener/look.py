"""Looking at a switch: what is up there that we have not heard of, and what we hold open that is gone.

An Event Socket has no memory, so this is how a listener that was away catches up with the calls that are up. What
ended meanwhile, and was not heard, is denied by the switch; `tollbook recover` makes its end exact.
"""

import json
import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, cast

from esl_listener.decode import JSON, Decoder
from tollbook.errors import FrameRefused
from tollbook.log import event
from tollbook.model.leg import Leg, leg_of
from tollbook.store.lives import Held

_log = logging.getLogger("tollbook.look")

# The list lags 200 ms behind the channels, and a leg can be between two states: one denial proves nothing.
DENIED_TWICE_AFTER_S = 60.0

Api = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a look found: legs that are up, and which of those held open the switch denies."""

    legs: tuple[Leg, ...]
    denied: tuple[Held, ...]


def look(api: Api, decoder: Decoder, held: Collection[Held], default_switch: str) -> Seen | None:
    """Compare the channels that are up with the legs that are `held` open.

    None when the list could not be had: a query that fails closes nothing. Raises SwitchUnavailable when the
    connection ends.
    """
    listed = channels_in(api("show channels as json"))
    if listed is None:
        event(_log, logging.WARNING, "the switch did not list its channels; nothing is concluded from that")
        return None
    known = {one.leg.uid for one in held if one.leg.create or one.leg.look}
    legs = [leg for uid in listed - known if (leg := _dumped(api, decoder, uid, default_switch))]
    # A zombie stays listed for ever, so being listed is no proof of life; being denied by uuid_exists is.
    denied = [one for one in held if _askable(one.leg.uid) and api(f"uuid_exists {one.leg.uid}").strip() == "false"]
    return Seen(legs=tuple(legs), denied=tuple(denied))


def channels_in(reply: str) -> set[str] | None:
    """Read the ids out of `show channels as json`; None when the reply is no such list."""
    try:
        listing: Any = json.loads(reply)
    except (ValueError, RecursionError):
        return None
    if not isinstance(listing, dict) or "row_count" not in listing:
        return None
    rows = cast("dict[str, Any]", listing).get("rows", [])
    if not isinstance(rows, list):
        return None
    named = (cast("dict[str, Any]", row).get("uuid") for row in cast("Iterable[Any]", rows) if isinstance(row, dict))
    return {uid for uid in named if isinstance(uid, str) and _askable(uid)}


def _askable(uid: str) -> bool:
    """An id that callers may have chosen goes into a command only when it cannot be more than one word of it."""
    return uid != "" and uid.isprintable() and " " not in uid and len(uid) <= 256


def _dumped(api: Api, decoder: Decoder, uid: str, default_switch: str) -> Leg | None:
    reply = api(f"uuid_dump {uid} json")
    if not reply.startswith("{"):
        return None  # it ended between the two questions
    try:
        heard = decoder.decode(JSON, reply.encode())
    except FrameRefused:
        return None
    return leg_of(heard, heard.switchname or default_switch)
