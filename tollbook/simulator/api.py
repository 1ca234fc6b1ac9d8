"""What the simulated switch answers to `api` commands."""

from tollbook.simulator.agents import AgentTable
from tollbook.simulator.channels import ChannelTable
from tollbook.simulator.event import RawEvent
from tollbook.simulator.identity import MAX_SESSIONS, UUID_DUMP, VERSION, SwitchIdentity

_NO_CHANNEL = b"-ERR No such channel!\n"
_USAGE = b"-USAGE: <uuid> [format]\n"


def answer(
    command: bytes,
    *,
    identity: SwitchIdentity,
    channels: ChannelTable,
    agents: AgentTable,
    sequence: int,
    now_us: int,
) -> bytes:
    """Return the text that an api command prints; `sequence` numbers the event that `uuid_dump` makes."""
    if command.split() == [b"callcenter_config", b"agent", b"list"]:
        return agents.print_list()
    return _printed(command, identity, channels, sequence, now_us) or b"-ERR no reply\n"


def _printed(command: bytes, identity: SwitchIdentity, channels: ChannelTable, sequence: int, now_us: int) -> bytes:
    name, _, argument = command.strip().partition(b" ")
    words = argument.split()
    match name.lower():
        case b"show":
            return _show(words, channels)
        case b"uuid_exists":
            return b"true" if words and words[0] in channels else b"false"
        case b"uuid_dump":
            return _uuid_dump(words, identity, channels, sequence, now_us)
        case b"status":
            return _status(identity, channels, now_us)
        case b"switchname":
            return identity.switch_name.encode()
        case b"strmicroepoch":
            return b"%d" % now_us
        case b"version":
            return f"FreeSWITCH Version {VERSION} (-release simulated 64bit)\n".encode()
        case b"module_exists":
            return b"true"
        case b"global_getvar":
            return _global_variables(identity).get(argument.strip(), b"")
        case _:
            return b"-ERR %s Command not found!\n" % name


def _show(words: list[bytes], channels: ChannelTable) -> bytes:
    match words:
        case [b"channels", b"as", b"json"]:
            return channels.show_json()
        case [b"calls" | b"channels", b"count", b"as", b"json"]:
            return b'{"row_count": %d}\n' % len(channels)
        case [b"calls" | b"channels", b"count"]:
            return b"\n%d total.\n" % len(channels)
        case _:
            return b"-USAGE: channels as json|channels count [as json]|calls count [as json]\n"


def _uuid_dump(
    words: list[bytes], identity: SwitchIdentity, channels: ChannelTable, sequence: int, now_us: int
) -> bytes:
    if not words:
        return _USAGE
    headers = channels.dump(words[0])
    if headers is None:
        return _NO_CHANNEL
    own = identity.headers(b"CHANNEL_DATA", UUID_DUMP, now_us)
    numbered = tuple((name, b"%d" % sequence if name == b"Event-Sequence" else value) for name, value in own)
    event = RawEvent(headers=(*numbered, *headers))
    return event.json_body() if words[1:] == [b"json"] else event.plain_body()


def _status(identity: SwitchIdentity, channels: ChannelTable, now_us: int) -> bytes:
    return (
        f"UP {identity.uptime(now_us)}\n"
        f"FreeSWITCH (Version {VERSION.replace('~', '  ')}) is ready\n"
        f"{channels.since_startup} session(s) since startup\n"
        f"{len(channels)} session(s) - peak {channels.peak}, last 5min {channels.peak} \n"
        f"0 session(s) per Sec out of max 1000, peak 0, last 5min 0 \n"
        f"{MAX_SESSIONS} session(s) max\n"
        "min idle cpu 0.00/99.00\n"
        "Current Stack Size/Max 240K/8192K\n"
    ).encode()


def _global_variables(identity: SwitchIdentity) -> dict[bytes, bytes]:
    return {
        b"core_uuid": identity.core_uuid.encode(),
        b"switchname": identity.switch_name.encode(),
        b"hostname": b"vm",
        b"local_ip_v4": b"127.0.0.1",
        b"domain": b"127.0.0.1",
    }
