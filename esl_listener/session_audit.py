"""The session audit: does a switch count more sessions than we heard of?

Every heartbeat carries Session-Since-Startup. Its growth is compared with the legs heard in the same time. A gap is a
hint and no proof: a channel that could not be created is a session without an event, and a recovered leg is an event
without a new session. So a gap starts a channel reconciliation, and decides nothing about any call.
"""

import re
from dataclasses import dataclass

import msgspec

from tollbook.esl.framing import EVENT_JSON
from tollbook.model.event import SwitchEvent
from tollbook.model.leg import Leg

_PLAIN = re.compile(rb"^Session-Since-Startup: (\d{1,18})$", re.MULTILINE)


class _Heartbeat(msgspec.Struct, frozen=True, gc=False, rename={"sessions": "Session-Since-Startup"}):
    sessions: int = -1


# Not a field of `SwitchEvent`: each field costs every event, and heartbeats are rare.
_json = msgspec.json.Decoder(_Heartbeat, strict=False)


def sessions_in(kind: bytes, body: bytes) -> int | None:
    """Return Session-Since-Startup from a heartbeat's body; None when it has no such number."""
    if kind != EVENT_JSON:
        found = _PLAIN.search(body)
        return int(found[1]) if found else None
    try:
        sessions = _json.decode(body).sessions
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return sessions if sessions >= 0 else None


def shows_session(event: SwitchEvent, leg: Leg | None) -> bool:
    """Whether an event is the first that its session sends. `leg`: what it states, None when it makes no leg."""
    if event.name == "CHANNEL_CREATE":
        return True
    # A scanner that never authenticates sends an end alone, which makes no leg. So does a pickup channel, and that
    # makes one. The end of a leg whose creation is at hand has no channel: that leg was counted.
    return event.name == "CHANNEL_HANGUP_COMPLETE" and (leg is None or event.channel.startswith("pickup/"))


@dataclass(frozen=True, kw_only=True)
class SessionGap:
    """`unheard` sessions, whose events never arrived.

    Since the connection's first heartbeat the switch has counted `sessions`, and we have `heard` of so many.
    """

    unheard: int
    sessions: int
    heard: int


class SessionAudit:
    """Compares the heartbeats of one connection with its events; one connection has one process of the switch."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._since_last = 0
        self._excess = 0
        self._reported = 0
        self._sessions = 0
        self._heard = 0

    def hear(self) -> None:
        """Count a session that was heard of."""
        self._since_last += 1

    def beat(self, sessions: int) -> SessionGap | None:
        """Take in a heartbeat's count. Return a gap, once, when the next heartbeat has not closed it.

        A session is counted a moment before its CREATE is sent, so a busy switch is always a few ahead. Only what two
        heartbeats in a row find missing is a gap.
        """
        last, heard = self._last, self._since_last
        self._last, self._since_last = sessions, 0
        if last is None or sessions < last:
            # Sessions before the first heartbeat may be older than the connection. A count that falls starts anew.
            self._excess = self._reported = self._sessions = self._heard = 0
            return None
        before = self._excess
        self._sessions += sessions - last
        self._heard += heard
        # Never below zero: recovered legs do not make up for sessions that nobody heard of.
        self._excess = max(0, before + sessions - last - heard)
        unheard = min(before, self._excess) - self._reported
        if unheard <= 0:
            return None
        self._reported += unheard
        return SessionGap(unheard=unheard, sessions=self._sessions, heard=self._heard)
