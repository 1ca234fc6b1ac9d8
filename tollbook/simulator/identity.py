"""The identity of a simulated switch: the headers with which its own events begin, and its heartbeat."""

import time
import uuid
from dataclasses import dataclass

from tollbook.simulator.event import Header, RawEvent
from tollbook.times import US_PER_SECOND

VERSION = "1.11.3-dev~64bit"
MAX_SESSIONS = 20_000


@dataclass(frozen=True, kw_only=True)
class Source:
    """The place in FreeSWITCH's source that makes an event."""

    file: bytes
    function: bytes
    line: bytes


HEARTBEAT = Source(file=b"switch_core.c", function=b"send_heartbeat", line=b"95")
UUID_DUMP = Source(file=b"mod_commands.c", function=b"uuid_dump_function", line=b"6495")
AGENT = Source(file=b"mod_callcenter.c", function=b"cc_agent_update", line=b"1047")
JOB = Source(file=b"mod_event_socket.c", function=b"api_exec", line=b"1572")


@dataclass(frozen=True, kw_only=True)
class Sessions:
    """The session counts of a heartbeat."""

    now: int
    peak: int
    since_startup: int


@dataclass(frozen=True, kw_only=True)
class SwitchIdentity:
    """One process of the switch. `started_us` is epoch µs."""

    switch_name: str
    started_us: int
    core_uuid: str

    @classmethod
    def begin(cls, switch_name: str, now_us: int) -> "SwitchIdentity":
        """Return the identity of a process that starts now, with a new Core-UUID."""
        return cls(switch_name=switch_name, started_us=now_us, core_uuid=str(uuid.uuid4()))

    def headers(self, name: bytes, source: Source, now_us: int) -> tuple[Header, ...]:
        """Return the headers with which every event begins. Event-Sequence is filled in when it is sent."""
        now = time.gmtime(now_us // US_PER_SECOND)
        return (
            (b"Event-Name", name),
            (b"Core-UUID", self.core_uuid.encode()),
            (b"FreeSWITCH-Hostname", b"vm"),
            (b"FreeSWITCH-Switchname", self.switch_name.encode()),
            (b"FreeSWITCH-IPv4", b"127.0.0.1"),
            (b"FreeSWITCH-IPv6", b"::1"),
            (b"Event-Date-Local", time.strftime("%Y-%m-%d %H:%M:%S", now).encode()),
            (b"Event-Date-GMT", time.strftime("%a, %d %b %Y %H:%M:%S GMT", now).encode()),
            (b"Event-Date-Timestamp", b"%d" % now_us),
            (b"Event-Calling-File", source.file),
            (b"Event-Calling-Function", source.function),
            (b"Event-Calling-Line-Number", source.line),
            (b"Event-Sequence", b"0"),
        )

    def heartbeat(self, sessions: Sessions, now_us: int) -> RawEvent:
        """Return the HEARTBEAT for this moment."""
        return RawEvent(
            headers=(
                *self.headers(b"HEARTBEAT", HEARTBEAT, now_us),
                (b"Event-Info", b"System Ready"),
                (b"Up-Time", self.uptime(now_us).encode()),
                (b"FreeSWITCH-Version", VERSION.encode()),
                (b"Uptime-msec", b"%d" % ((now_us - self.started_us) // 1000)),
                (b"Session-Count", b"%d" % sessions.now),
                (b"Max-Sessions", b"%d" % MAX_SESSIONS),
                (b"Session-Per-Sec", b"1000"),
                (b"Session-Per-Sec-Last", b"0"),
                (b"Session-Per-Sec-Max", b"0"),
                (b"Session-Per-Sec-FiveMin", b"0"),
                (b"Session-Since-Startup", b"%d" % sessions.since_startup),
                (b"Session-Peak-Max", b"%d" % sessions.peak),
                (b"Session-Peak-FiveMin", b"%d" % sessions.peak),
                (b"Idle-CPU", b"99.000000"),
            )
        )

    def uptime(self, now_us: int) -> str:
        """Return the time since the start in FreeSWITCH's words."""
        seconds, micros = divmod(now_us - self.started_us, US_PER_SECOND)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        years, days = divmod(days, 365)
        millis, micros = divmod(micros, 1000)
        counts = {
            "year": years, "day": days, "hour": hours, "minute": minutes,
            "second": seconds, "millisecond": millis, "microsecond": micros,
        }  # fmt: skip
        return ", ".join(f"{count} {unit}{'' if count == 1 else 's'}" for unit, count in counts.items())
