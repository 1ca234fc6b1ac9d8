"""When a switch was last heard, for the database; and how long it may be silent before its connection is dead."""

from tollbook.model.event import SwitchEvent
from tollbook.store.calls.switch_processes import SwitchProcess
from tollbook.times import CLOCK_UNTIL_US, US_PER_SECOND

# An event's number is 64 bits wide in the switch, and signed in PostgreSQL.
_SEQUENCE_UNTIL = 1 << 63
# So many missed heartbeats mean a dead connection. A switch or a network may well pause for a few seconds, though.
_MISSED = 3
_SHORTEST_S = 3.0
# FreeSWITCH beats every 20 s unless switch.conf says otherwise, which makes 60 s of silence. Until two heartbeats have
# shown the interval the limit is this: a limit below the interval would cut off a quiet switch for ever.
_LONGEST_S = 180.0


class Liveness:
    """Collects the last sign of life of each switch process (Core-UUID) until the writer takes it."""

    def __init__(self) -> None:
        self._waiting: dict[str, SwitchProcess] = {}

    def note(self, process: SwitchProcess) -> None:
        """Note the event of a process that was just heard, or how many more of its sessions went unheard."""
        # Greater numbers are wrong, and PostgreSQL would refuse them again at every retry.
        if process.core and 0 < process.seen_us < CLOCK_UNTIL_US and 0 <= process.sequence < _SEQUENCE_UNTIL:
            self._add(process)

    def take(self) -> list[SwitchProcess]:
        """Remove and return what waits."""
        taken = list(self._waiting.values())
        self._waiting.clear()
        return taken

    def put_back(self, processes: list[SwitchProcess]) -> None:
        """Return what could not be written; what was noted meanwhile is newer and wins."""
        newer, self._waiting = self._waiting, {process.core: process for process in processes}
        for process in newer.values():
            self._add(process)

    def _add(self, process: SwitchProcess) -> None:
        before = self._waiting.get(process.core)
        self._waiting[process.core] = process if before is None else before.merge(process)


class NewestEvent:
    """The newest event of one process of a switch, by its number, since it was last taken."""

    def __init__(self) -> None:
        self._event: SwitchEvent | None = None

    def hear(self, event: SwitchEvent) -> None:
        """Take in an event, unless its number is none, or one of the same process has a greater one."""
        before = self._event
        if event.sequence < _SEQUENCE_UNTIL and (
            before is None or event.core != before.core or event.sequence >= before.sequence
        ):
            self._event = event

    def take(self) -> SwitchEvent | None:
        """Remove and return it; None: none was heard."""
        event, self._event = self._event, None
        return event


class HeartbeatTimeout:
    """Learns a switch's heartbeat interval, and so how long its connection may be silent: `limit_s` seconds."""

    def __init__(self) -> None:
        self.limit_s = _LONGEST_S
        self._last: tuple[float, int] | None = None

    def interrupt(self) -> None:
        """Forget the last heartbeat, because others were missed since; the limit stays."""
        self._last = None

    def beat(self, now_s: float, at_us: int) -> None:
        """Take in a heartbeat that the switch sent at `at_us` (its clock) and we read at `now_s` (ours)."""
        if self._last is not None:
            # The longer of the two: after a stall several are read at once, and a switch's clock may be set back.
            interval_s = max(now_s - self._last[0], (at_us - self._last[1]) / US_PER_SECOND)
            self.limit_s = min(max(_MISSED * interval_s, _SHORTEST_S), _LONGEST_S)
        self._last = (now_s, at_us)
