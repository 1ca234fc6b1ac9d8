"""Compare a switch's channels with the legs that are open in the database.

An Event Socket has no memory, so this is how a listener that was away catches up: it finds calls that began unheard,
and legs that are gone without an end. A leg that also ended unheard is denied by the switch; `tollbook recover` makes
its end exact.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, cast

from esl_listener.decoder import Decoder
from tollbook.errors import FrameRefused
from tollbook.esl.framing import EVENT_JSON
from tollbook.log import log_line
from tollbook.model.leg import Leg, leg_of
from tollbook.store.calls.switch_processes import OpenLeg
from tollbook.times import US_PER_SECOND

_log = logging.getLogger("tollbook.channels")

# Epoch seconds have ten digits; a number longer than this is not one.
_LONGEST_SECOND = 12

Api = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class ChannelComparison:
    """What the channel list says about the open legs.

    `new_legs`: channels that are up and were not known. `alive`: open legs that the switch still has; `denied`: that
    it denies; `replaced`: whose id now belongs to another leg.
    """

    new_legs: tuple[Leg, ...]
    alive: tuple[OpenLeg, ...]
    denied: tuple[OpenLeg, ...]
    replaced: tuple[OpenLeg, ...]


def compare_channels(
    api: Api, decoder: Decoder, open_legs: Collection[OpenLeg], default_switch: str
) -> ChannelComparison | None:
    """Ask the switch which channels are up, and compare them with the open legs.

    Return None when the switch does not list its channels: a failed query closes nothing. Raises SwitchUnavailable
    when the connection ends.
    """
    listed = parse_channel_list(api("show channels as json"))
    if listed is None:
        log_line(_log, logging.WARNING, "the switch did not list its channels; no leg is closed")
        return None
    # An id can be used again while its last leg is still open here, so a known leg is recognised by its id and the
    # second it began in, which is all the list says. The list has the second in which the switch registered the
    # channel; under load that can be later, and then a known leg is dumped as well.
    known = {open_leg.leg.key for open_leg in open_legs if open_leg.leg.create or open_leg.leg.look}
    known_seconds: defaultdict[str, set[int]] = defaultdict(set)
    for _, uid, created_us in known:
        known_seconds[uid].add(created_us // US_PER_SECOND)
    unknown = [uid for uid, created_s in listed.items() if created_s not in known_seconds[uid]]
    dumped = [leg for uid in unknown if (leg := _dump(api, decoder, uid, default_switch))]
    newest_us = _newest_creation_us([*(open_leg.leg for open_leg in open_legs), *dumped])
    alive: list[OpenLeg] = []
    denied: list[OpenLeg] = []
    replaced: list[OpenLeg] = []
    for open_leg in open_legs:
        uid = open_leg.leg.uid
        if open_leg.leg.created_us < newest_us.get(uid, 0):
            replaced.append(open_leg)
        elif _is_safe_argument(uid):
            # A zombie stays in the list for ever, so being listed proves nothing. The answer of uuid_exists does.
            answer = api(f"uuid_exists {uid}").strip()
            if answer in ("true", "false"):
                (alive if answer == "true" else denied).append(open_leg)
    return ChannelComparison(
        new_legs=tuple(leg for leg in dumped if leg.key not in known),
        alive=tuple(alive),
        denied=tuple(denied),
        replaced=tuple(replaced),
    )


def parse_channel_list(reply: str) -> dict[str, int] | None:
    """Return the channels in the reply to `show channels as json`: id to epoch second, 0 where that is unreadable.

    Return None when the reply is not such a list, as opposed to an empty one.
    """
    try:
        listing: Any = json.loads(reply)
    except (ValueError, RecursionError):
        return None
    if not isinstance(listing, dict) or "row_count" not in listing:
        return None
    rows = cast("dict[str, Any]", listing).get("rows", [])
    if not isinstance(rows, list):
        return None
    channels = [cast("dict[str, Any]", row) for row in cast("Iterable[Any]", rows) if isinstance(row, dict)]
    created = [(channel.get("uuid"), str(channel.get("created_epoch"))) for channel in channels]
    return {
        uid: int(created_s) if created_s.isdecimal() and len(created_s) < _LONGEST_SECOND else 0
        for uid, created_s in created
        if isinstance(uid, str) and _is_safe_argument(uid)
    }


def _newest_creation_us(legs: Iterable[Leg]) -> dict[str, int]:
    """Return for each id when its newest leg began (epoch µs).

    A recovered leg does not count: after `sofia recover` the old call goes on under a later creation time.
    """
    newest: dict[str, int] = {}
    for leg in legs:
        said = leg.create or leg.look
        if said and not said.recovered:
            newest[leg.uid] = max(leg.created_us, newest.get(leg.uid, 0))
    return newest


def _is_safe_argument(uid: str) -> bool:
    """Return whether an id, which a caller may have chosen, is exactly one word of a command."""
    return uid != "" and uid.isprintable() and " " not in uid and len(uid) <= 256


def _dump(api: Api, decoder: Decoder, uid: str, default_switch: str) -> Leg | None:
    reply = api(f"uuid_dump {uid} json")
    if not reply.startswith("{"):
        return None  # it ended between the two questions
    try:
        event = decoder.decode(EVENT_JSON, reply.encode())
    except FrameRefused:
        return None
    return leg_of(event, event.switchname or default_switch)
