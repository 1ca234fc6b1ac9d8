"""The audit: does a switch count more sessions than it told us of?

Every heartbeat carries Session-Since-Startup. What it grows by is compared with the legs heard of meanwhile. That is
a hint and no verdict: a creation that failed is a session that no event tells of, and a recovered leg is told of and
is no session. So a gap makes us look at the switch, and decides nothing about any call.
"""

import re
from dataclasses import dataclass

import msgspec

from esl_listener.decoder import JSON

_PLAIN = re.compile(rb"^Session-Since-Startup: (\d{1,18})$", re.MULTILINE)


class _Beat(msgspec.Struct, frozen=True, gc=False, rename={"sessions": "Session-Since-Startup"}):
    sessions: int = -1


# Not a field of `Event`: each field costs every event, and heartbeats are rare.
_json = msgspec.json.Decoder(_Beat, strict=False)


def sessions_in(kind: bytes, body: bytes) -> int | None:
    """Read Session-Since-Startup from a heartbeat's body; None when it says nothing of the kind."""
    if kind != JSON:
        found = _PLAIN.search(body)
        return int(found[1]) if found else None
    try:
        sessions = _json.decode(body).sessions
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return sessions if sessions >= 0 else None


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Sessions that nobody heard of: `unheard` new ones; of `sessions` since the first heartbeat `heard` were told."""

    unheard: int
    sessions: int
    heard: int


class Audit:
    """Compares what one connection's heartbeats count with what came over it; a connection has one process."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._since_last = 0
        self._excess = 0
        self._told = 0
        self._sessions = 0
        self._heard = 0

    def heard(self) -> None:
        """Note that a session was heard of."""
        self._since_last += 1

    def beat(self, sessions: int) -> Gap | None:
        """Take in a heartbeat's count; give a gap once, when the heartbeat after it has not closed it.

        A session is counted a moment before its CREATE is sent, so that a busy switch is always a few ahead: what
        counts is what two heartbeats in a row find missing.
        """
        last, heard = self._last, self._since_last
        self._last, self._since_last = sessions, 0
        if last is None or sessions < last:
            # What came before the first heartbeat may be older than the connection; a count that falls is a new one.
            self._excess = self._told = self._sessions = self._heard = 0
            return None
        before = self._excess
        self._sessions += sessions - last
        self._heard += heard
        # Never below none: legs that were recovered do not make up for those that nobody heard of.
        self._excess = max(0, before + sessions - last - heard)
        unheard = min(before, self._excess) - self._told
        if unheard <= 0:
            return None
        self._told += unheard
        return Gap(unheard=unheard, sessions=self._sessions, heard=self._heard)
