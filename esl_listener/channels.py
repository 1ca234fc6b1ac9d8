"""Looking at a switch: what is up there that we have not heard of, and what we hold open that is gone.

An Event Socket has no memory, so this is how a listener that was away catches up with the calls that are up. What
ended meanwhile, and was not heard, is denied by the switch; `tollbook recover` makes its end exact.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, cast

from esl_listener.decoder import JSON, Decoder
from tollbook.errors import FrameRefused
from tollbook.log import log_line
from tollbook.model.leg import Leg, leg_of
from tollbook.store.calls.switch_processes import Held

_log = logging.getLogger("tollbook.look")

# Digits of an epoch second, and room: what is longer is none.
_LONGEST_SECOND = 12

Api = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a look found: legs that are up and were not known, and what became of those held open.

    `alive`: the switch has them; `denied`: it denies them; `replaced`: it has their id, as another leg's.
    """

    legs: tuple[Leg, ...]
    alive: tuple[Held, ...]
    denied: tuple[Held, ...]
    replaced: tuple[Held, ...]


def look(api: Api, decoder: Decoder, held: Collection[Held], default_switch: str) -> Seen | None:
    """Compare the channels that are up with the legs that are `held` open.

    None when the list could not be had: a query that fails closes nothing. Raises SwitchUnavailable when the
    connection ends.
    """
    listed = channels_in(api("show channels as json"))
    if listed is None:
        log_line(_log, logging.WARNING, "the switch did not list its channels; nothing is concluded from that")
        return None
    # An id can be used again while we hold its last life open, so a life is known by the second it began in, too:
    # the list tells no more. It tells when the switch noted the channel down, so under load a known one may be dumped.
    known = {one.leg.key for one in held if one.leg.create or one.leg.look}
    known_seconds: defaultdict[str, set[int]] = defaultdict(set)
    for _, uid, created_us in known:
        known_seconds[uid].add(created_us // 1_000_000)
    unknown = [uid for uid, created_s in listed.items() if created_s not in known_seconds[uid]]
    dumped = [leg for uid in unknown if (leg := _dumped(api, decoder, uid, default_switch))]
    newest = _newest_lives([*(one.leg for one in held), *dumped])
    alive: list[Held] = []
    denied: list[Held] = []
    replaced: list[Held] = []
    for one in held:
        if one.leg.created_us < newest.get(one.leg.uid, 0):
            replaced.append(one)
        elif _askable(one.leg.uid):
            # A zombie stays listed for ever, so being listed is no proof of life; being denied by uuid_exists is.
            answer = api(f"uuid_exists {one.leg.uid}").strip()
            if answer in ("true", "false"):
                (alive if answer == "true" else denied).append(one)
    return Seen(
        legs=tuple(leg for leg in dumped if leg.key not in known),
        alive=tuple(alive),
        denied=tuple(denied),
        replaced=tuple(replaced),
    )


def channels_in(reply: str) -> dict[str, int] | None:
    """Read ids, and the seconds they were listed in, out of `show channels as json`; None when it is no such list."""
    try:
        listing: Any = json.loads(reply)
    except (ValueError, RecursionError):
        return None
    if not isinstance(listing, dict) or "row_count" not in listing:
        return None
    rows = cast("dict[str, Any]", listing).get("rows", [])
    if not isinstance(rows, list):
        return None
    told = [cast("dict[str, Any]", row) for row in cast("Iterable[Any]", rows) if isinstance(row, dict)]
    named = [(row.get("uuid"), str(row.get("created_epoch"))) for row in told]
    return {
        uid: int(created_s) if created_s.isdecimal() and len(created_s) < _LONGEST_SECOND else 0
        for uid, created_s in named
        if isinstance(uid, str) and _askable(uid)
    }


def _newest_lives(legs: Iterable[Leg]) -> dict[str, int]:
    """Give, by id, when its newest life began that goes on with no older one, as after `sofia recover` it would."""
    newest: dict[str, int] = {}
    for leg in legs:
        said = leg.create or leg.look
        if said and not said.recovered:
            newest[leg.uid] = max(leg.created_us, newest.get(leg.uid, 0))
    return newest


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
