"""The channels that are up, according to the events that were played."""

import time
from dataclasses import dataclass, field

from tollbook.simulator.encoding import json_string
from tollbook.simulator.event import Header, Playable
from tollbook.times import US_PER_SECOND

_ENDS = frozenset((b"CHANNEL_HANGUP_COMPLETE", b"CHANNEL_DESTROY"))

# Custom events carry only a part of a channel's headers; so many of them are kept after its last full event.
_MAX_PARTIAL = 8

# The headers that are a channel's own data; the other headers of an event are about the event.
_CHANNEL_HEADERS = (
    b"Channel-",
    b"Caller-",
    b"Other-",
    b"variable_",
    b"Presence-",
    b"Unique-ID",
    b"Call-",
    b"Answer-",
)

_SHOWN = {  # the columns of `show channels`, in its order, and the headers they are taken from
    "uuid": b"Unique-ID",
    "direction": b"Call-Direction",
    "created": b"",
    "created_epoch": b"",
    "name": b"Channel-Name",
    "state": b"Channel-State",
    "cid_name": b"Caller-Caller-ID-Name",
    "cid_num": b"Caller-Caller-ID-Number",
    "ip_addr": b"Caller-Network-Addr",
    "dest": b"Caller-Destination-Number",
    "application": b"variable_current_application",
    "application_data": b"variable_current_application_data",
    "dialplan": b"Caller-Dialplan",
    "context": b"Caller-Context",
    "read_codec": b"Channel-Read-Codec-Name",
    "read_rate": b"Channel-Read-Codec-Rate",
    "read_bit_rate": b"Channel-Read-Codec-Bit-Rate",
    "write_codec": b"Channel-Write-Codec-Name",
    "write_rate": b"Channel-Write-Codec-Rate",
    "write_bit_rate": b"Channel-Write-Codec-Bit-Rate",
    "secure": b"",
    "hostname": b"FreeSWITCH-Switchname",
    "presence_id": b"Channel-Presence-ID",
    "presence_data": b"",
    "accountcode": b"variable_accountcode",
    "callstate": b"Channel-Call-State",
    "callee_name": b"Caller-Callee-ID-Name",
    "callee_num": b"Caller-Callee-ID-Number",
    "callee_direction": b"",
    "call_uuid": b"Channel-Call-UUID",
    "sent_callee_name": b"variable_last_sent_callee_id_name",
    "sent_callee_num": b"variable_last_sent_callee_id_number",
    "initial_cid_name": b"Caller-Caller-ID-Name",
    "initial_cid_num": b"Caller-Caller-ID-Number",
    "initial_ip_addr": b"Caller-Network-Addr",
    "initial_dest": b"Caller-Destination-Number",
    "initial_dialplan": b"Caller-Dialplan",
    "initial_context": b"Caller-Context",
}


@dataclass(kw_only=True)
class _Channel:
    """A channel's newest full event, and the partial ones after it; headers are parsed only when asked for."""

    full: Playable
    partial: list[Playable] = field(default_factory=list[Playable])

    def headers(self) -> dict[bytes, bytes]:
        newest = dict(self.full.headers(0))
        for event in self.partial:
            newest.update(_channel_headers(event.headers(0)))
        return newest


class ChannelTable:
    """The channels that are up. `since_startup` counts the sessions so far, `peak` the most at once."""

    def __init__(self) -> None:
        self._channels: dict[bytes, _Channel] = {}
        self._zombies: dict[bytes, _Channel] = {}
        self.since_startup = 0
        self.peak = 0

    def __len__(self) -> int:
        return len(self._channels)

    def __contains__(self, unique_id: bytes) -> bool:
        return unique_id in self._channels

    def note(self, event: Playable) -> None:
        """Take in an event that is played: a CREATE adds its channel, an end removes it, others update it."""
        unique_id = event.unique_id
        if unique_id is None:
            return
        channel = self._channels.get(unique_id)
        if event.name == b"CHANNEL_CREATE":
            self._channels[unique_id] = _Channel(full=event)
            self.since_startup += 1
            self.peak = max(self.peak, len(self._channels))
        elif event.name in _ENDS:
            self._channels.pop(unique_id, None)
            # Scanners that never authenticate end without a CREATE, and are sessions all the same.
            if channel is None and event.name == b"CHANNEL_HANGUP_COMPLETE":
                self.since_startup += 1
        elif channel is not None and event.name == b"CUSTOM":
            channel.partial = [*channel.partial, event][-_MAX_PARTIAL:]
        elif channel is not None:
            channel.full, channel.partial = event, []

    def make_zombie(self, unique_id: bytes) -> None:
        """Make a channel a zombie: gone without an end, still listed, denied when it is asked about."""
        self._zombies[unique_id] = self._channels.pop(unique_id)

    def dump(self, unique_id: bytes) -> tuple[Header, ...] | None:
        """Return a channel's newest headers, without those of its last event; None if it is not up."""
        channel = self._channels.get(unique_id)
        return None if channel is None else tuple(_channel_headers(channel.headers()).items())

    def show_json(self) -> bytes:
        """Return what `show channels as json` prints."""
        listed = [*self._channels.values(), *self._zombies.values()]
        if not listed:
            return b'{"row_count": 0}\n'
        rows = [_row(channel.headers()) for channel in listed]
        return b'{"row_count":%d,"rows":[%s]}' % (len(rows), b",".join(rows))

    def clear(self) -> None:
        """Remove all channels and reset the counts, as a restart does."""
        self._channels.clear()
        self._zombies.clear()
        self.since_startup = self.peak = 0


def _channel_headers(headers: dict[bytes, bytes] | tuple[Header, ...]) -> dict[bytes, bytes]:
    return {name: value for name, value in dict(headers).items() if name.startswith(_CHANNEL_HEADERS)}


def _row(headers: dict[bytes, bytes]) -> bytes:
    created_s = int(headers.get(b"Caller-Channel-Created-Time") or 0) // US_PER_SECOND
    row = {column: headers.get(header, b"") for column, header in _SHOWN.items()}
    row["created"] = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(created_s)).encode()
    row["created_epoch"] = b"%d" % created_s
    # Not with a JSON library: a caller's name can hold bytes that are not UTF-8, and the switch passes them on.
    return b"{" + b",".join(b'"%s":%s' % (name.encode(), json_string(value)) for name, value in row.items()) + b"}"
