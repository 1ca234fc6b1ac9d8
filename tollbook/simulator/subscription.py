"""Which events a connection has asked for."""

from dataclasses import dataclass, field

from tollbook.simulator.event import Header, Playable

ALL = b"ALL"
CUSTOM = b"CUSTOM"

# The event names of FreeSWITCH that a client could ask for.
_NAMES = frozenset(
    b"""CUSTOM CLONE CHANNEL_CREATE CHANNEL_DESTROY CHANNEL_STATE CHANNEL_CALLSTATE CHANNEL_ANSWER
    CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HOLD
    CHANNEL_UNHOLD CHANNEL_BRIDGE CHANNEL_UNBRIDGE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA
    CHANNEL_OUTGOING CHANNEL_PARK CHANNEL_UNPARK CHANNEL_APPLICATION CHANNEL_ORIGINATE CHANNEL_UUID
    API LOG INBOUND_CHAN OUTBOUND_CHAN STARTUP SHUTDOWN PUBLISH UNPUBLISH TALK NOTALK SESSION_CRASH
    MODULE_LOAD MODULE_UNLOAD DTMF MESSAGE PRESENCE_IN NOTIFY_IN PRESENCE_OUT PRESENCE_PROBE
    MESSAGE_WAITING MESSAGE_QUERY ROSTER CODEC BACKGROUND_JOB DETECTED_SPEECH DETECTED_TONE
    PRIVATE_COMMAND HEARTBEAT TRAP ADD_SCHEDULE DEL_SCHEDULE EXE_SCHEDULE RE_SCHEDULE RELOADXML
    NOTIFY SEND_MESSAGE RECV_MESSAGE REQUEST_PARAMS CHANNEL_DATA GENERAL COMMAND SESSION_HEARTBEAT
    CLIENT_DISCONNECTED SERVER_DISCONNECTED SEND_INFO RECV_INFO RECV_RTCP_MESSAGE CALL_SECURE NAT
    RECORD_START RECORD_STOP PLAYBACK_START PLAYBACK_STOP CALL_UPDATE FAILURE SOCKET_DATA
    MEDIA_BUG_START MEDIA_BUG_STOP CONFERENCE_DATA_QUERY CONFERENCE_DATA CALL_SETUP_REQ
    CALL_SETUP_RESULT CALL_DETAIL DEVICE_STATE TEXT SHUTDOWN_REQUESTED ALL""".split()
)


@dataclass(kw_only=True)
class Subscription:
    """What one connection has subscribed to. It grows with every `event` command, as in FreeSWITCH."""

    as_json: bool = False
    listening: bool = False
    names: set[bytes] = field(default_factory=set[bytes])
    subclasses: set[bytes] = field(default_factory=set[bytes])
    filters: list[Header] = field(default_factory=list[Header])

    def add(self, words: list[bytes]) -> bool:
        """Subscribe to the words after `event`; return whether any named an event. The format is set in any case."""
        if words and words[0].lower() in (b"plain", b"json"):
            self.as_json = words.pop(0).lower() == b"json"
        names, subclasses = _split(words)
        self.names |= names
        self.subclasses |= subclasses
        self.listening = self.listening or bool(names)
        return bool(names)

    def remove(self, words: list[bytes]) -> bool:
        """Unsubscribe from the words after `nixevent`; return whether any named an event."""
        names, subclasses = _split(words)
        self.subclasses -= subclasses
        if ALL in names:
            self.names.clear()
        elif ALL in self.names:
            self.names = set(_NAMES) - {ALL}
        # As in FreeSWITCH, nixing CUSTOM removes only its subclasses.
        self.names -= names - {CUSTOM}
        return bool(names)

    def clear(self) -> bool:
        """Unsubscribe from everything, but keep the filters; return whether there was a subscription."""
        was = self.listening
        self.names.clear()
        self.subclasses.clear()
        self.listening = False
        return was

    def wants(self, event: Playable) -> bool:
        """Return whether the connection gets this event."""
        if not self.listening:
            return False
        if ALL not in self.names:
            if event.name not in self.names:
                return False
            if event.name == CUSTOM and event.subclass is not None and event.subclass not in self.subclasses:
                return False
        return not self.filters or self._passes(event)

    def _passes(self, event: Playable) -> bool:
        headers: dict[bytes, bytes] = {}
        for name, value in event.headers(0):
            headers.setdefault(name.lower(), value)
        return any(headers.get(name.lower(), b"").lower() == value.lower() for name, value in self.filters)


def _split(words: list[bytes]) -> tuple[set[bytes], set[bytes]]:
    """Return the event names, and the subclasses: everything after the word CUSTOM."""
    upper = [word.upper() for word in words]
    end = upper.index(CUSTOM) + 1 if CUSTOM in upper else len(words)
    return {word for word in upper[:end] if word in _NAMES}, set(words[end:])
